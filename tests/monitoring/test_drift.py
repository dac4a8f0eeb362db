"""The drift stage on a small shop: a verdict, its reasons, its page."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smar.cli import main
from smar.data import schema
from smar.monitoring.signals import click_signal, embedding_signals, quality_signal
from smar.monitoring.snapshot import EMBEDDINGS, Snapshot, read_shop
from smar.paths import Paths


def drift(root: Path) -> dict[str, Any]:
    assert main(["drift", "--root", str(root)]) == 0
    return dict(json.loads(Paths(root).outcome("drift").read_text()))


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
    shutil.rmtree(Paths(small_project).releases)
    shutil.rmtree(Paths(small_project).release)
    assert main(["drift", "--root", str(small_project)]) == 2
    assert "there is no release to compare today's data with" in capsys.readouterr().err


def test_an_experiment_before_the_first_release_ends_well(
    small_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    shutil.rmtree(Paths(small_project).releases)
    shutil.rmtree(Paths(small_project).release)
    monkeypatch.setenv("DVC_EXP_NAME", "stony-gate")
    figures = drift(small_project)
    assert (figures["verdict"], figures["release"], figures["alarms"]) == ("keep", "", 0)
    assert "there is no release yet" in caplog.text
    page = (Paths(small_project).drift_report / "index.html").read_text()
    assert "nothing to compare" in page


def test_snapshot_is_written_and_read_back_whole(small_project: Path, tmp_path: Path):
    first = reference(small_project)
    first.write(tmp_path / "again")
    second = Snapshot.read(tmp_path / "again")
    for name in ("items", "searches", "clicks", "words", "quality"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    for name in EMBEDDINGS:
        assert np.array_equal(first.vectors[name], second.vectors[name])
    assert first.owners == second.owners


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


def quality(days: int, found: list[bool]) -> pd.DataFrame:
    """Return one engaged item a day and query: the last of `days` days first found, then not."""
    last = pd.Timestamp("2026-10-01", tz="UTC")
    return pd.DataFrame(
        {
            "query": [f"q{number % 5}" for number in range(days * len(found))],
            "item_id": [f"i{number}" for number in range(days * len(found))],
            "timestamp": [
                last - pd.Timedelta(days=day) for day in range(days) for _ in range(len(found))
            ],
            "found": found * days,
            "k": 50,
        }
    )


def test_quality_signal_is_the_fall_over_windows_of_one_length(small_project: Path):
    then = reference(small_project)
    # Ten weeks of which only the last found half as much: the last week is what is compared.
    good, poor = quality(70, [True] * 5), quality(7, [False] * 5)
    poor_at_last = pd.concat([good[good["timestamp"] < poor["timestamp"].min()], poor])
    before = changed(then, quality=good)
    fall = quality_signal(before, changed(then, quality=poor_at_last), 7)
    assert fall.value == 1
    assert fall.before == "1.000 (5 queries)"
    assert quality_signal(before, changed(then, quality=quality(7, [True] * 5)), 7).value == 0
    assert quality_signal(changed(then, quality=poor_at_last), before, 7).value == -1


def test_quality_that_was_measured_otherwise_gives_no_alarm(small_project: Path):
    then = reference(small_project)
    old = pd.DataFrame({"query": ["a"] * 50, "value": 1.0})
    for other in (old, then.quality.head(0), then.quality.assign(k=10)):
        signal = quality_signal(changed(then, quality=other), changed(then), 7)
        assert (signal.value, signal.p_value) == (0.0, 1.0)


def test_reference_holds_what_was_engaged_and_whether_it_is_found(small_project: Path):
    table = reference(small_project).quality
    assert not table.duplicated(["query", "item_id"]).any()
    assert set(table["k"]) == {50}
    assert 0 < table["found"].mean() < 1
    assert table["timestamp"].notna().all()


def embedded(then: Snapshot, owners: list[str], vectors: np.ndarray) -> Snapshot:
    """Return a snapshot whose item texts have these owners and vectors."""
    return changed(
        then,
        owners={**then.owners, "text": owners},
        vectors={**then.vectors, "text": vectors.astype(np.float32)},
    )


def test_items_that_are_in_both_samples_are_told_apart_by_nothing(small_project: Path):
    """The same shop at two dates: an item in two folds would push the AUC far below a half."""
    then = reference(small_project)
    rng = np.random.default_rng(0)
    owners = [f"i{row}" for row in range(120)]
    vectors = rng.normal(size=(120, 48))
    mixed = rng.permutation(120)
    same = embedded(then, [owners[row] for row in mixed], vectors[mixed])
    before = embedded(then, owners, vectors)
    (signal,) = [s for s in embedding_signals(before, same) if s.name == "embeddings.text"]
    assert signal.value == pytest.approx(0.5, abs=0.03)
    # The same numbers under names that do not tell whose they are: biased low.
    unknown = embedded(then, [f"x{row}" for row in range(120)], vectors[mixed])
    (biased,) = [s for s in embedding_signals(before, unknown) if s.name == "embeddings.text"]
    assert biased.value < 0.4
    replaced = vectors + np.where(np.arange(120) < 36, 1.5, 0)[:, None]
    renamed = [f"new{row}" if row < 36 else owner for row, owner in enumerate(owners)]
    moved = embedded(then, renamed, replaced)
    (found,) = [s for s in embedding_signals(before, moved) if s.name == "embeddings.text"]
    assert found.value > 0.6


def test_reference_of_before_there_were_owners_groups_equal_vectors(
    small_project: Path, tmp_path: Path
):
    reference(small_project).write(tmp_path / "old")
    for file in (tmp_path / "old").glob("*_owners.parquet"):
        file.unlink()
    old = Snapshot.read(tmp_path / "old")
    assert all(len(old.owners[name]) == len(old.vectors[name]) for name in EMBEDDINGS)
    distinct = len({row.tobytes() for row in old.vectors["query"]})
    assert len(set(old.owners["query"])) <= distinct


def test_query_of_several_vectors_is_compared_whole(
    small_project: Path, change_params: Callable[[Path, dict[str, Any]], None]
):
    change_params(small_project, {"model.query_vectors.count": 2, "promote.margin": 1.0})
    shutil.rmtree(Paths(small_project).releases)
    shutil.rmtree(Paths(small_project).release)
    for stage in ("pretrain", "finetune", "embed", "index", "evaluate", "promote"):
        assert main([stage, "--root", str(small_project)]) == 0
    assert reference(small_project).vectors["query"].shape[1] == 64
    assert drift(small_project)["verdict"] == "keep"


def changed(snapshot: Snapshot, **tables: Any) -> Snapshot:
    return Snapshot(**{**vars(snapshot), **tables})
