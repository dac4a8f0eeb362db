"""Draws and batches."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from smar.errors import DataError
from smar.models.dual_encoder import DualEncoder
from smar.train.batching import BatchMaker, prefetch
from smar.train.dataset import Pairs, TrainingData
from smar.train.sampling import PairSampler
from smar.train.standing import Standing


def sampler(data: TrainingData, **changes: float) -> PairSampler:
    settings = {"items_per_step": 8, "queries_per_item": 2, "real_frac": 0.5, "seed": 1}
    return PairSampler(data, **settings | changes)


def test_draw_depends_on_seed_and_step_alone(tiny_data: TrainingData):
    first, second = sampler(tiny_data), sampler(tiny_data)
    second.draw(0)
    assert (first.draw(3).queries == second.draw(3).queries).all()
    assert (first.draw(3).items != sampler(tiny_data, seed=2).draw(3).items).any()


def test_draw_visits_every_item_once_an_epoch(tiny_data: TrainingData):
    drawn = sampler(tiny_data)
    epoch = np.concatenate([drawn.draw(step).items for step in range(tiny_data.num_items // 8)])
    assert sorted(epoch) == list(range(tiny_data.num_items))


def test_draw_gives_each_item_its_own_queries(tiny_data: TrainingData):
    draw = sampler(tiny_data).draw(0)
    owners = draw.items[draw.target]
    assert (np.bincount(draw.target) == 2).all()
    assert tiny_data.known(draw.queries, owners).diagonal().all()


@pytest.mark.parametrize(("real_frac", "pool"), [(0.0, "synthetic"), (1.0, "real")])
def test_draw_takes_the_kind_asked_for(tiny_data: TrainingData, real_frac: float, pool: str):
    draw = sampler(tiny_data, real_frac=real_frac).draw(0)
    pairs = getattr(tiny_data, pool)
    of_pool = set(zip(pairs.item.tolist(), pairs.query.tolist(), strict=True))
    assert set(zip(draw.items[draw.target], draw.queries, strict=True)) <= of_pool


def test_sampler_refuses_data_without_queries(tiny_data: TrainingData):
    none = Pairs(np.empty(0, np.int64), np.zeros(25, np.int64))
    empty = replace(tiny_data, real=none, synthetic=none)
    with pytest.raises(DataError, match="0 items have a query, expected at least 2"):
        sampler(empty)


def test_allowed_negatives_equal_a_double_loop(tiny_data: TrainingData):
    draw = sampler(tiny_data, items_per_step=16).draw(1)
    allowed, shown = Standing(tiny_data, draw.queries, draw.items, draw.target).rows(slice(None))
    assert not shown.any()
    pairs = [
        pair
        for kind in (tiny_data.real, tiny_data.synthetic)
        for pair in zip(kind.query.tolist(), kind.item.tolist(), strict=True)
    ]
    held = [text.lower() for text in tiny_data.texts]
    for query, item in pairs[: len(tiny_data.real)]:
        held[item] += " " + tiny_data.queries[query].lower()
    for q, query in enumerate(draw.queries):
        own = draw.items[draw.target[q]]
        words = set(re.findall(r"\w+", tiny_data.queries[query].lower()))
        for j, item in enumerate(draw.items):
            holds_all = words <= set(re.findall(r"\w+", held[item]))
            same = tiny_data.group[item] == tiny_data.group[own]
            assert allowed[q, j] == (not ((query, item) in pairs or holds_all or same))


def test_batches_hold_what_was_drawn(
    tiny_data: TrainingData,
    tiny_model: Callable[[], DualEncoder],
    tiny_maker: Callable[[DualEncoder], BatchMaker],
):
    model = tiny_model()
    maker, drawn = tiny_maker(model), sampler(tiny_data)
    batch, draw = maker.make(drawn.draw(0)), drawn.draw(0)
    assert batch.allowed.shape == (16, 8)
    tokens = model.query_tokenizer.encode([tiny_data.queries[row] for row in draw.queries])
    assert np.array_equal(batch.query_ids.numpy(), tokens.ids)
    assert np.array_equal(batch.query_lengths.numpy(), tokens.lengths)
    again = list(prefetch(lambda step: maker.make(drawn.draw(step)), 0, 3))
    assert len(again) == 3
    assert torch.equal(again[0].allowed, batch.allowed)
    assert torch.equal(again[0].pictures, batch.pictures)


def test_draws_of_two_steps_of_an_item_differ(tiny_data: TrainingData):
    """The same items come back every epoch, with other queries and in another order."""
    drawn = sampler(tiny_data, items_per_step=24, queries_per_item=4)
    steps = [drawn.draw(step) for step in range(4)]
    assert len({tuple(draw.queries) for draw in steps}) == 4
    small = sampler(tiny_data)
    epochs = [
        [tuple(small.draw(3 * epoch + place).items) for place in range(3)] for epoch in (0, 1)
    ]
    assert epochs[0] != epochs[1]
    assert len({items for epoch in epochs for items in epoch}) > 3


def test_pairs_of_an_item_are_drawn_by_their_grade(tiny_data: TrainingData):
    rows = np.arange(3)
    pairs = Pairs.of(rows, np.array([0, 0, 1]), np.array([1.0, 3.0, 2.0]), 24)
    drawn = sampler(
        replace(tiny_data, real=pairs), items_per_step=2, queries_per_item=400, real_frac=1.0
    )
    draw = drawn.draw(0)
    of_first = draw.queries[draw.items[draw.target] == 0]
    assert (of_first == 1).mean() == pytest.approx(0.75, abs=0.07)
    assert set(draw.grade[draw.queries == 1]) == {3.0}


def wordless(data: TrainingData, **changes: object) -> TrainingData:
    """Return data of which no query holds a word and no pair is known, but for the changes."""
    none = Pairs(np.empty(0, np.int64), np.zeros(data.num_items + 1, np.int64))
    plain = {"queries": ["!"] * 3, "real": none, "synthetic": none, "group": np.arange(24)}
    return replace(data, **plain | changes)


def test_item_equal_to_the_own_one_is_no_negative(tiny_data: TrainingData):
    group = np.arange(24)
    group[1] = group[0]
    data = wordless(tiny_data, group=group)
    items = np.array([0, 1, 2])
    allowed, _ = Standing(data, np.zeros(3, int), items, np.array([0, 1, 2])).rows(slice(None))
    assert allowed.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


@pytest.mark.parametrize("kind", ["real", "synthetic"])
def test_engaged_item_is_no_negative_though_it_lacks_the_words(tiny_data: TrainingData, kind: str):
    pairs = Pairs.of(np.array([0]), np.array([2]), np.ones(1), 24)
    data = wordless(tiny_data, **{kind: pairs})
    allowed, _ = Standing(data, np.array([0, 1]), np.array([0, 1, 2]), np.array([0, 1])).rows(
        slice(None)
    )
    assert allowed.tolist() == [[False, True, False], [True, False, True]]


def test_item_with_every_word_is_no_negative_and_one_that_lacks_a_word_is(tiny_data: TrainingData):
    texts = ["", "Red wool boot", "red", *[""] * 21]
    data = wordless(tiny_data, queries=["boot red"], texts=texts)
    allowed, _ = Standing(data, np.array([0]), np.array([0, 1, 2]), np.array([0])).rows(slice(None))
    assert allowed.tolist() == [[False, False, True]]


def test_items_that_are_left_out_are_never_drawn(tiny_data: TrainingData):
    sampler = PairSampler(tiny_data, items_per_step=16, queries_per_item=1, real_frac=0.5, seed=3)
    sampler.leave_out(np.arange(20))
    drawn = [sampler.draw(step).items for step in range(3)]
    assert all(np.array_equal(items, np.arange(20, 24)) for items in drawn)
