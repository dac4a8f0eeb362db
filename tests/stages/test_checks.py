"""Stages check their own work: what is broken stops them, and what they made before stays."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from smar.artifacts import digest
from smar.cli import main
from smar.data import schema
from smar.index import ann, fitting
from smar.models import encode
from smar.paths import Paths
from smar.stages import declared
from smar.train import loop

Change = Callable[[Path, pytest.MonkeyPatch], None]


def leak(root: Path, _: pytest.MonkeyPatch) -> None:
    """Give a training query the text of a held-out one."""
    path = Paths(root).queries
    table = pd.read_parquet(path)
    text = table.loc[table["split"] == "validation", "query"].iloc[0]
    table.loc[table.index[table["split"] == "train"][0], "query"] = text
    schema.write_table(path, table, schema.QUERIES)


def break_weights(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the last step end in a NaN, past the loop's own look at loss and gradient."""
    train = loop.train

    def trained(model: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        figures = train(model, *arguments, **named)
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] = float("nan")
        return figures

    monkeypatch.setattr(loop, "train", trained)


def stretch_rows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode every item anew, to vectors that are twice as long."""
    (Paths(root).embeddings / "manifest.json").unlink()
    made = encode.encode_items

    def encoded(*arguments: Any, **named: Any) -> encode.ItemEmbeddings:
        found = made(*arguments, **named)
        return encode.ItemEmbeddings(2 * found.text, found.image, found.multimodal)

    monkeypatch.setattr(encode, "encode_items", encoded)


def add_item(root: Path, _: pytest.MonkeyPatch) -> None:
    items = pd.read_parquet(Paths(root).items)
    items.loc[0, "item_id"] = "new one"
    schema.write_table(Paths(root).items, items, schema.ITEMS)


def turn_items(root: Path, _: pytest.MonkeyPatch) -> None:
    items = pd.read_parquet(Paths(root).items)
    schema.write_table(Paths(root).items, items.iloc[::-1], schema.ITEMS)


def mix_up_index(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build an index that answers, and finds the wrong items."""
    build = fitting.build_index
    shutil.rmtree(root / ".smar/index", ignore_errors=True)  # what was fitted is not taken

    def built(vectors: Any, *arguments: Any) -> ann.VectorIndex:
        return build(np.ascontiguousarray(vectors[::-1]), *arguments)

    monkeypatch.setattr(fitting, "build_index", built)


@pytest.mark.parametrize(
    ("stage", "check", "change", "message"),
    [
        ("synthesize", "splits_do_not_leak", leak, "1 texts in validation and train (first: '"),
        ("pretrain", "weights_are_finite", break_weights, "NaN or infinity in "),
        ("finetune", "weights_are_finite", break_weights, "NaN or infinity in "),
        ("embed", "rows_have_unit_norm", stretch_rows, "text: 150 of 150 rows are not of unit"),
        ("index", "every_item_is_indexed", add_item, "1 items are missing: new one; 1 items are"),
        ("index", "every_item_is_indexed", turn_items, "150 rows in another order than the"),
        ("index", "index_finds_what_exact_search_finds", mix_up_index, "recall@50 0."),
    ],
)
def test_broken_work_stops_its_stage_and_replaces_nothing(
    small_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    check: str,
    change: Change,
    message: str,
):
    change(small_project, monkeypatch)
    folder = small_project / declared()[stage].writes[0]
    before = digest(folder) if (folder / "manifest.json").is_file() else ""
    assert main([stage, "-q", "--root", str(small_project)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"smar {stage}: 1 of ")
    assert f"{check}: " in error
    assert message in error
    assert before == (digest(folder) if before else "")
    checks = json.loads(Paths(small_project).outcome(stage).read_text())["checks"]
    (failed,) = [record for record in checks if not record["passed"]]
    assert failed["name"] == check
    assert failed["blocking"]
    assert message in failed["text"]


def test_sound_work_says_so(small_project: Path):
    for name, stage in declared().items():
        if stage.checks:
            records = json.loads(Paths(small_project).outcome(name).read_text())["checks"]
            assert {r["name"]: r["passed"] for r in records} == dict.fromkeys(stage.checks, True)


def test_worse_than_the_release_is_said_and_goes_on(small_project: Path):
    paths = Paths(small_project)
    released = paths.releases / "current" / "metrics" / "evaluate.json"
    figures = json.loads(released.read_text())
    before = figures["test"]["hybrid"]["recall@50"]
    figures["test"]["hybrid"]["recall@50"] = before + 0.03
    figures["validation"]["hybrid"]["recall@50"] += 0.01
    size = released.stat().st_size  # of another one the release would be called damaged
    released.write_text(json.dumps(figures).ljust(size), encoding="utf-8")
    assert main(["evaluate", "-q", "--root", str(small_project)]) == 0
    (record,) = json.loads(paths.outcome("evaluate").read_text())["checks"]
    assert not record["passed"]
    seen = f"test: recall@50 {before:.4f}, the release has {before + 0.03:.4f}"
    assert record["text"].startswith(seen)
    assert record["figures"]["test recall@50 gained"] == pytest.approx(-0.03)
