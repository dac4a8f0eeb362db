"""The drift stage on a small shop: a verdict, its reasons, its page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smar.cli import main
from smar.data import schema
from smar.monitoring.signals import click_signal, quality_signal
from smar.monitoring.snapshot import EMBEDDINGS, Snapshot, read_shop
from smar.paths import Paths


def drift(root: Path) -> dict[str, Any]:
    assert main(["drift", "--root", str(root)]) == 0
    return dict(json.loads(Paths(root).metrics("drift").read_text()))


def reference(root: Path) -> Snapshot:
    return Snapshot.read(Paths(root).releases / "v1" / "reference")


def test_shop_that_did_not_change_is_kept(small_project: Path):
    figures = drift(small_project)
    assert (figures["verdict"], figures["reasons"], figures["release"]) == ("keep", [], "v1")
    assert len(figures["signals"]) == 18


def test_changed_catalogue_and_language_are_reported_with_examples_and_pictures(
    small_project: Path, change_params: Callable[[Path, dict[str, Any]], None]
):
    paths = Paths(small_project)
    items = schema.read_table(paths.items, schema.ITEMS)
    items.loc[:49, "category"] = "Astronomy > <b>Telescopes</b>"
    items["price"] *= 4
    items.loc[:29, "item_id"] = [f"new-{n}" for n in range(30)]
    schema.write_table(paths.items, items, schema.ITEMS)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    queries["query"] = [f"<i>{text[::-1]}" for text in queries["query"]]
    schema.write_table(paths.queries, queries, schema.QUERIES)
    figures = drift(small_project)
    alarms = {name for name, one in figures["signals"].items() if one["alarm"]}
    assert figures["verdict"] == "retrain"
    expected = {"items.new_category", "items.price", "items.not_indexed", "queries.unknown_words"}
    assert alarms >= expected
    assert any(
        "items that the release's index lacks: 0.0% -> 20.0%" in r for r in figures["reasons"]
    )
    page = (paths.drift_report / "index.html").read_text()
    assert "Drift: retrain" in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page.replace('<span class="bar"><i', "")
    assert page.count("data:image/jpeg") == 24
    assert (paths.drift_report / "evidently.html").stat().st_size > 1_000_000


def test_verdict_without_a_release_names_the_next_step(
    small_project: Path, capsys: pytest.CaptureFixture[str]
):
    import shutil

    shutil.rmtree(Paths(small_project).releases)
    shutil.rmtree(Paths(small_project).release)
    assert main(["drift", "--root", str(small_project)]) == 2
    assert "there is no release to compare today's data with" in capsys.readouterr().err


def test_snapshot_is_written_and_read_back_whole(small_project: Path, tmp_path: Path):
    first = reference(small_project)
    first.write(tmp_path / "again")
    second = Snapshot.read(tmp_path / "again")
    for name in ("items", "searches", "clicks", "words", "quality"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    for name in EMBEDDINGS:
        assert np.array_equal(first.vectors[name], second.vectors[name])
    assert first.texts == second.texts


def test_newest_days_of_the_log_are_today(small_project: Path):
    shop = read_shop(Paths(small_project))
    today = shop.newest(7)
    assert 0 < len(today.searches) < len(shop.searches) / 2
    assert set(today.engagements["search_id"]) <= set(today.searches["search_id"])
    newest = shop.searches["timestamp"].max()
    assert (newest - today.searches["timestamp"].min()).days < 7


def test_click_signal_is_blind_to_longer_lists_and_sees_fewer_clicks(small_project: Path):
    then = reference(small_project)
    longer = pd.concat(
        [then.clicks, pd.DataFrame({"position": [99], "shown": [10_000], "clicks": [0]})]
    )
    fewer = then.clicks.assign(clicks=then.clicks["clicks"] // 3)
    assert click_signal(then, changed(then, clicks=longer)).value == 0
    seen = click_signal(then, changed(then, clicks=fewer))
    assert seen.value > 0.5
    assert seen.p_value < 1e-4


def test_quality_signal_is_the_fall_of_the_mean(small_project: Path):
    then = reference(small_project)
    worse = then.quality.assign(value=then.quality["value"] - 0.25)
    assert quality_signal(then, changed(then, quality=worse), "recall").value == pytest.approx(0.25)
    empty = changed(then, quality=then.quality.head(0))
    assert quality_signal(then, empty, "recall").value == 0


def changed(snapshot: Snapshot, **tables: pd.DataFrame) -> Snapshot:
    return Snapshot(**{**vars(snapshot), **tables})
