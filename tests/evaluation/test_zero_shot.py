"""The start before training is a row of the evaluation where it is aligned, else it is said why."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from smar.cli import main
from smar.data import schema
from smar.data.images import ImageStore
from smar.judging.shop_sets import ShopSets
from smar.models.alignment import alignment_of
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model
from smar.paths import Paths
from tests.models.backbones.conftest import zoo
from tests.models.backbones.test_backbones import Zoo

__all__ = ["zoo"]

Change = Callable[[Path, dict[str, Any]], None]


def run(project: Path, *stages: str) -> None:
    for stage in stages:
        assert main([stage, "--root", str(project), "--quiet"]) == 0


def test_towers_of_nothing_are_not_aligned(tiny_model: Callable[[], DualEncoder]):
    found = alignment_of(tiny_model())
    assert not found.parts
    assert "(query from nothing, text from nothing, image from nothing)" in found.told


def test_words_and_pictures_that_start_aligned_are(tiny_model: Callable[[], DualEncoder]):
    model = tiny_model()
    model.set_aligned()
    found = alignment_of(model)
    assert found.parts == ("text", "image")
    assert "as pretrain.start aligned them" in found.told


@pytest.mark.whole
def test_the_start_is_compared_on_the_same_queries(
    small_project: Path, zoo: Zoo, change_params: Change
):
    paths = Paths(small_project)
    run(small_project, "pretrain", "evaluate")
    page = (paths.evaluation_report / "index.html").read_text()
    assert "There is no zero-shot row: the query tower shares its start with no item tower" in page
    copytree(zoo("clip").folder, small_project / "backbones" / "pair.model")
    short = {"pretrain.steps": 2, "finetune.steps": 2, "model.text.max_tokens": 32}
    change_params(small_project, {"model.pretrained": "pair", "model.dim": 20} | short)
    run(small_project, "pretrain", "finetune", "embed", "index", "evaluate")
    page = (paths.evaluation_report / "index.html").read_text()
    assert "zero-shot: queries against texts and pictures as pair came." in page
    outcome = json.loads(paths.outcome("evaluate").read_text())
    start, items = load_model(paths.start), schema.read_table(paths.items, schema.ITEMS)
    made = encode_items(start, items, ImageStore.open(paths.images), 64)
    seen = made.image.any(axis=1, keepdims=True)
    vectors = np.where(seen, (made.text + made.image) / 2, made.text)
    queries = next(iter(ShopSets.read(paths, list(items["item_id"]), 2, 7).sets))
    scores = encode_queries(start, queries.texts).vector @ vectors.T
    shares = []
    for row in range(len(queries)):
        relevant = queries.qrels[row].toarray()[0] >= queries.relevant_grade
        best = np.argsort(-scores[row], kind="stable")[:10]
        shares.append(relevant[best].sum() / relevant.sum())
    figure = outcome[queries.name]["zero_shot"]["recall@10"]
    assert figure == pytest.approx(np.mean(shares), abs=0.02)
