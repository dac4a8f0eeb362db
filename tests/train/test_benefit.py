"""What pictures bring, against a slow count over the whole catalogue."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from smar.data.images import ImageStore
from smar.data.searched_words import SearchedWords
from smar.data.tokens import token_tensors
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import ItemEmbeddings
from smar.models.encode import encode_items, encode_queries
from smar.models.gate import build_gate
from smar.models.gate.base import GateWidths
from smar.params import FinetuneParams, Params
from smar.params.kinds import GATES
from smar.train import benefit
from smar.train.benefit import picture_benefit
from smar.train.dataset import TrainingData
from smar.train.pairs import Pairs

Build = Callable[[], DualEncoder]


@pytest.fixture
def data(tiny_data: TrainingData) -> TrainingData:
    """The tiny data with queries of many items, some of them engaged for several queries."""
    rng = np.random.default_rng(0)
    query, item = np.nonzero(rng.random((len(tiny_data.queries), 24)) < 0.3)
    return replace(tiny_data, real=Pairs.of(query, item, np.ones(len(query)), 24))


def slow(model: DualEncoder, data: TrainingData, made: ItemEmbeddings) -> set[tuple[int, float]]:
    """Return (query, gain) of every pair, counted item by item."""
    vectors = encode_queries(model, data.queries).vector.reshape(len(data.queries), -1, model.dim)
    found = set()
    for query, item in zip(data.real.query, data.real.item, strict=True):
        known = data.known(np.array([query]), np.arange(24))[0]
        others = np.flatnonzero(~known)
        ranks = []
        for rows in (made.text, made.multimodal):
            scores = [max(float(head @ row) for head in vectors[query]) for row in rows]
            ranks.append(sum(scores[n] > scores[item] for n in others))
        gain = math.log1p(ranks[0]) - math.log1p(ranks[1])
        found.add((int(query), round(gain, 4)))
    return found


def test_gain_is_that_of_ranks_without_the_query_s_own_items(
    tiny_model: Build,
    data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(benefit, "_PER_QUERY", 24)
    model = tiny_model()
    taught = picture_benefit(model, data, tiny_items, tiny_images, 3)
    expected = slow(model, data, encode_items(model, tiny_items, tiny_images, 8))
    assert len(taught.gain) == len(data.real)
    assert {gain for _, gain in expected} == {round(float(gain), 4) for gain in taught.gain}
    assert len({gain for _, gain in expected}) > 5
    # The state of a query stands beside its own gain.
    with torch.inference_mode():
        table = model.query_tokenizer.encode(data.queries)
        rows = np.arange(len(data.queries))
        pooled = model.query(*token_tensors(table, rows, model.device)).pooled
    nearest = torch.cdist(taught.pooled, pooled).argmin(1).tolist()
    beside = {(q, round(float(g), 4)) for q, g in zip(nearest, taught.gain, strict=True)}
    assert beside == expected


def test_popular_queries_and_large_catalogues_are_sampled(
    tiny_model: Build,
    data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(benefit, "_PER_QUERY", 2)
    monkeypatch.setattr(benefit, "_MOST_ITEMS", 12)
    sample, query, item = benefit._draw(data, np.random.default_rng(0))
    assert len(sample) == 12
    assert np.bincount(query).max() == 2
    pairs = set(zip(data.real.query, data.real.item, strict=True))
    assert set(zip(query, sample[item], strict=True)) <= pairs
    few = picture_benefit(tiny_model(), data, tiny_items, tiny_images, 3)
    assert few.gain.abs().max() <= math.log(12) + 1e-6
    again = picture_benefit(tiny_model(), data, tiny_items, tiny_images, 3)
    assert torch.equal(few.gain, again.gain)


def test_words_of_searches_count_without_those_of_the_pairs(
    tiny_model: Build,
    data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
    monkeypatch: pytest.MonkeyPatch,
):
    asked: dict[int, set[str]] = {}

    class Asked(SearchedWords):
        def of(self, row: int, without: set[str], untold: np.ndarray) -> str:
            asked[row] = set(without)
            assert 0 < untold.sum() < len(untold)
            return "teal"

    given = []
    encode = benefit.encode_items
    monkeypatch.setattr(
        benefit,
        "encode_items",
        lambda *a, searched, **k: given.append(searched) or encode(*a, searched=searched, **k),
    )
    picture_benefit(tiny_model(), data, tiny_items, tiny_images, 3, Asked(data.texts, [], []))
    assert given == [["teal"] * 24]
    assert max(map(len, asked.values())) == benefit._PER_ITEM
    query, item = data.real.query, data.real.item
    for row, queries in asked.items():
        assert queries <= {data.queries[q] for q in query[item == row]}


def test_items_without_pictures_gain_nothing(
    tiny_model: Build, tiny_data: TrainingData, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    bare = tiny_items.assign(image_ids=[[]] * len(tiny_items))
    taught = picture_benefit(tiny_model(), tiny_data, bare, tiny_images, 3)
    assert not taught.gain.any()


def test_no_picture_is_doubted_where_text_and_picture_cannot_be_compared(
    tiny_model: Build, data: TrainingData, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    found = [
        picture_benefit(tiny_model(), data, tiny_items, tiny_images, 3, compares=compares)
        for compares in (True, False)
    ]
    assert torch.equal(found[0].gain, found[1].gain)
    assert [len(each.own) == len(each.exchanged) > 0 for each in found] == [True, False]
    gate = build_gate(
        "benefit", {"doubt": 1.0}, replace(GateWidths.example(), query=found[1].pooled.shape[1])
    )
    assert gate.settle(found[1])["picture_trust_own"] == 1.0


@pytest.mark.parametrize(
    ("tasks", "teaches"),
    [({}, True), ({"beta": 0.0}, False), ({"beta": 0.0, "alignment": 0.1}, True)],
)
def test_text_and_picture_can_be_compared_where_pictures_learn_by_themselves(
    tasks: dict[str, float], teaches: bool
):
    assert FinetuneParams(**tasks).teaches_pictures == teaches


def test_gate_that_ships_is_settled():
    shipped = Params().gate.kind
    assert GATES[shipped].facts["SETTLES"]
