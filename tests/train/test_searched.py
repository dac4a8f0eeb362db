"""What a step's items show of searches."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from smar.data.images import ImageStore
from smar.data.searched_words import SearchedWords, with_words
from smar.models.dual_encoder import DualEncoder
from smar.params import Params
from smar.train.batching import BatchMaker
from smar.train.dataset import TrainingData
from smar.train.pairs import Pairs
from smar.train.prepare import build_maker, build_sampler, searched_words
from smar.train.sampling import LeftOut, PairSampler

Build = Callable[[], DualEncoder]


@pytest.fixture
def data(tiny_data: TrainingData) -> TrainingData:
    """The tiny data with four queries an item, alike in a colour and each with another size."""
    sizes = ["tiny", "small", "middle", "wide", "large", "huge"]
    queries = [f"{'teal' if n % 2 else 'ochre'} {sizes[n // 2 % 6]} {n}" for n in range(48)]
    item = np.repeat(np.arange(24), 4)
    query = np.concatenate([2 * ((n + np.arange(4)) % 24) + n % 2 for n in range(24)])
    ones = np.ones(len(query))
    real = Pairs.of(query, item, ones, 24)
    return replace(tiny_data, queries=queries, real=real)


@pytest.fixture
def words(data: TrainingData) -> SearchedWords:
    found = searched_words(data, 4)
    assert found is not None
    return found


def sampler(data: TrainingData, untold: float) -> PairSampler:
    return PairSampler(
        data,
        items_per_step=8,
        queries_per_item=2,
        real_frac=1.0,
        seed=1,
        left_out=LeftOut(searched=untold),
    )


def maker_of(
    model: DualEncoder, data: TrainingData, items: pd.DataFrame, images: ImageStore
) -> BatchMaker:
    return build_maker(model, data, items, images, searched=searched_words(data, 4))


def test_items_show_their_words_without_what_the_step_asks(
    tiny_model: Build,
    data: TrainingData,
    words: SearchedWords,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    model, draw = tiny_model(), sampler(data, 0.5).draw(0)
    batch = maker_of(model, data, tiny_items, tiny_images).make(draw)
    assert draw.untold is not None
    shown = []
    for place, row in enumerate(draw.items):
        asked = [data.queries[query] for query in draw.queries[draw.target == place]]
        told = words.of(int(row), asked).split()
        kept = [word for n, word in enumerate(told) if not draw.untold[place, n]]
        shown.append(" ".join(kept))
    assert len(set(shown)) > 1
    items = list(enumerate(draw.items.tolist()))
    assert shown != [words.of(row, (), draw.untold[place]) for place, row in items]
    texts = with_words([data.texts[row] for row in draw.items], shown)
    expected = model.text_tokenizer.encode(texts)
    assert np.array_equal(batch.item_ids.numpy(), expected.ids)
    assert np.array_equal(batch.item_lengths.numpy(), expected.lengths)


def test_fields_that_are_hidden_hide_words_too(
    tiny_model: Build, data: TrainingData, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    """Words are of the last field, so that a mask of fields goes on as before."""
    model, draw = tiny_model(), sampler(data, 0.0).draw(0)
    hidden = np.zeros((8, 4), bool)
    hidden[:, 3] = True
    maker = maker_of(model, data, tiny_items, tiny_images)
    whole = maker.make(draw).item_lengths
    assert (maker.make(replace(draw, hidden=hidden)).item_lengths < whole).all()


def test_what_is_not_shown_is_told_by_seed_and_step(data: TrainingData):
    first, again = (sampler(data, 0.5).draw(step).untold for step in (2, 2))
    other = sampler(data, 0.5).draw(3).untold
    assert first is not None
    assert other is not None
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sampler(data, 0.0).draw(2).untold is None


def test_a_training_without_words_draws_as_before(data: TrainingData, shipped: Params):
    """An option that is off changes no byte of what is trained."""
    on = shipped.finetune.model_copy(update={"searched_words": 4})
    off = build_sampler(data, shipped.finetune, 1.0, 1).draw(0)
    masked = build_sampler(data, on, 1.0, 1).draw(0)
    assert off.untold is None
    assert masked.untold is not None
    assert np.array_equal(off.queries, masked.queries)
    assert np.array_equal(off.items, masked.items)
    unused = {"searched_words", "searched_mask_frac"}
    assert not unused & shipped.finetune.settings().keys()
    assert unused <= on.settings().keys()


def test_without_a_log_there_are_no_words(tiny_data: TrainingData):
    none = Pairs(np.empty(0, np.int64), np.zeros(25, np.int64))
    assert searched_words(replace(tiny_data, real=none), 4) is None
    assert searched_words(tiny_data, 0) is None
