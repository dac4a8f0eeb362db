"""Misspelled queries."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from smar.data.misspell import misspell
from smar.models.dual_encoder import DualEncoder
from smar.train.batching import BatchMaker
from smar.train.dataset import TrainingData
from smar.train.sampling import PairSampler


def one_slip_away(query: str) -> set[str]:
    """Return all that one of Damerau's four slips can make of a query (slow)."""
    cuts = [(query[:at], query[at:]) for at in range(len(query) + 1)]
    letters = set(query) - {" "}
    return (
        {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
        | {a + b[1:] for a, b in cuts if b}
        | {a + letter + b for a, b in cuts for letter in letters}
        | {a + letter + b[1:] for a, b in cuts if b for letter in letters}
    )


def test_misspelled_query_is_one_slip_away():
    query = "red striped dress"
    made = {misspell(query, Random(seed)) for seed in range(500)}
    assert made <= one_slip_away(query)
    assert len(made) > 100


def test_every_kind_of_slip_occurs():
    made = {misspell("boot", Random(seed)) for seed in range(200)}
    assert {"obot", "oot", "bboot", "bobt"} <= made


def test_a_letter_may_change_places_with_the_space_behind_its_word():
    assert "re ddress" in {misspell("red dress", Random(seed)) for seed in range(300)}


@pytest.mark.parametrize("query", ["", "xl", "42", "nike12 5g"])
def test_short_words_and_numbers_stay(query: str):
    assert {misspell(query, Random(seed)) for seed in range(50)} == {query}


def test_numbers_stay_beside_words():
    assert all("1080" in misspell("full hd 1080 screen", Random(seed)) for seed in range(200))


def test_letters_keep_their_script():
    made = {misspell("тёплая куртка", Random(seed)) for seed in range(300)}
    assert set("".join(made)) <= set("тёплая куртка")


SETTINGS = {"items_per_step": 16, "queries_per_item": 2, "real_frac": 0.5, "seed": 1}


def test_draws_differ_in_the_misspelling_alone(tiny_data: TrainingData):
    plain = PairSampler(tiny_data, **SETTINGS).draw(3)
    slips = PairSampler(tiny_data, **SETTINGS, misspelled_frac=0.5).draw(3)
    assert plain.slips is None
    assert (plain.queries == slips.queries).all()
    assert (plain.items == slips.items).all()


def test_misspellings_depend_on_seed_and_step_alone(tiny_data: TrainingData):
    sampler = PairSampler(tiny_data, **SETTINGS, misspelled_frac=0.25)
    drawn = np.concatenate([sampler.draw(step).slips for step in range(50)])
    assert 0.22 < (drawn >= 0).mean() < 0.28
    assert (sampler.draw(3).slips == sampler.draw(3).slips).all()
    assert (sampler.draw(3).slips != sampler.draw(4).slips).any()


def test_batches_hold_the_misspelled_texts_and_the_marks_of_the_right_ones(
    tiny_data: TrainingData,
    tiny_model: Callable[[], DualEncoder],
    tiny_maker: Callable[[DualEncoder], BatchMaker],
):
    model = tiny_model()
    maker = tiny_maker(model)
    draw = PairSampler(tiny_data, **SETTINGS, misspelled_frac=1.0).draw(0)
    right = maker.make(PairSampler(tiny_data, **SETTINGS).draw(0))
    batch = maker.make(draw)
    texts = [
        misspell(tiny_data.queries[row], Random(slip))
        for row, slip in zip(draw.queries, draw.slips.tolist(), strict=True)
    ]
    assert np.array_equal(batch.query_ids.numpy(), model.query_tokenizer.encode(texts).ids)
    assert (batch.allowed == right.allowed).all()
