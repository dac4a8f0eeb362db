"""Hard negatives: what was shown and not engaged, and how it joins a step."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from smar.data.text import item_texts
from smar.train.dataset import TrainingData, build_training_data
from smar.train.negatives import HardPool, hard_items, impressions
from smar.train.sampling import LeftOut, PairSampler
from smar.train.standing import Standing


def searches(*rows: tuple[str, str, list[str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["search_id", "query_id", "shown"])


def engagements(*rows: tuple[str, str, str, int | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["search_id", "query_id", "item_id", "position"])
    return frame.astype({"position": "Int64"})


def pairs(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["query_id"], frame["item_id"], strict=True))


def test_what_stands_above_the_last_engagement_was_seen():
    found = impressions(searches(("s", "q", ["a", "b", "c", "d"])), engagements(("s", "q", "c", 3)))
    assert pairs(found) == [("q", "a"), ("q", "b")]


def test_engagement_of_unknown_position_means_that_all_was_seen():
    found = impressions(searches(("s", "q", ["a", "b", "c"])), engagements(("s", "q", "a", None)))
    assert pairs(found) == [("q", "b"), ("q", "c")]


def test_search_without_engagement_tells_nothing():
    log = searches(("s", "q", ["a", "b"]), ("t", "q", ["c", "d"]))
    assert pairs(impressions(log, engagements(("t", "q", "d", 2)))) == [("q", "c")]


def test_item_engaged_in_another_search_of_the_query_is_no_negative():
    log = searches(("s", "q", ["a", "b"]), ("t", "q", ["b", "a"]), ("u", "r", ["a", "b"]))
    acted = engagements(("s", "q", "b", 2), ("t", "q", "a", 2), ("u", "r", "b", 2))
    assert pairs(impressions(log, acted)) == [("r", "a")]


def test_log_that_lists_nothing_has_no_impressions():
    assert impressions(searches(("s", "q", [])), engagements(("s", "q", "a", 1))).empty
    assert impressions(searches(), engagements()).empty


@pytest.fixture
def shown_data(tiny_items: pd.DataFrame, tmp_path: Path) -> TrainingData:
    """The query "red boot" showed every red item and one that is unknown to the catalogue."""
    graded = pd.DataFrame(
        {
            "query": ["red boot", "blue boot", "red novel"],
            "item_id": ["i00", "i01", "i12"],
            "grade": [4.0, 2.0, 1.0],
        }
    )
    shown = pd.DataFrame(
        {
            "query": ["red boot"] * 4 + ["never trained"],
            "item_id": ["i06", "i12", "i00", "x", "i01"],
        }
    )
    return build_training_data(
        tiny_items,
        item_texts(tiny_items),
        graded=graded,
        synthetic=pa.table({"query": ["no"], "item_id": ["i05"]}).to_batches(),
        visual_categories=[],
        folder=tmp_path,
        shown=shown,
    )


def test_shown_items_stand_although_they_hold_every_word(shown_data: TrainingData):
    query = shown_data.queries.index("red boot")
    other = shown_data.queries.index("no")  # every item holds it
    items = np.array([0, 6, 12, 1])
    standing = Standing(shown_data, np.array([query, other]), items, np.array([0, 3]))
    allowed, shown = standing.rows(slice(None))
    assert shown.tolist() == [[False, True, True, False], [False] * 4]
    assert allowed.tolist() == [[False, True, True, True], [False] * 4]


def test_pool_draws_distinct_items_of_the_steps_own_queries():
    pool = HardPool(csr_matrix(np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], np.float32)), 2)
    for seed in range(20):
        drawn = pool.draw(np.array([0, 0, 1]), np.random.default_rng(seed))
        assert set(drawn) <= {1, 2}
        assert len(set(drawn)) == len(drawn) >= 1
    rng = np.random.default_rng(0)
    assert len(pool.draw(np.array([1, 1]), rng)) == 0
    assert len(HardPool(pool.items, 1).draw(np.array([0, 2, 0]), rng)) == 1


def test_items_of_the_step_do_not_join_it_twice():
    pool = HardPool(csr_matrix(np.array([[1, 1, 1]], np.float32)), 3)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        joined = hard_items([pool, pool], np.array([0, 0, 0]), np.array([2, 0]), rng)
        assert set(joined) <= {1}


def test_hard_items_join_a_draw_behind_its_own(shown_data: TrainingData):
    assert shown_data.shown is not None
    settings = {"items_per_step": 2, "queries_per_item": 2, "real_frac": 1.0, "seed": 1}
    plain = PairSampler(shown_data, **settings)
    hard = PairSampler(shown_data, **settings, hard=[HardPool(shown_data.shown, 2)])
    joined = set()
    for step in range(12):
        draw, without = hard.draw(step), plain.draw(step)
        assert (draw.items[:2] == without.items).all()
        assert (draw.queries == without.queries).all()
        assert (draw.target < 2).all()
        joined |= set(draw.items[2:].tolist())
    assert joined >= {6, 12}


def test_draw_carries_the_grade_of_each_pair(shown_data: TrainingData):
    draw = PairSampler(
        shown_data, items_per_step=3, queries_per_item=1, real_frac=1.0, seed=1
    ).draw(0)
    of_item = {0: 4.0, 1: 2.0, 12: 1.0}
    assert draw.grade.tolist() == [of_item[item] for item in draw.items[draw.target]]
    assert draw.hidden is None


def test_fields_are_hidden_by_seed_and_step(tiny_data: TrainingData):
    settings = {"items_per_step": 16, "queries_per_item": 1, "real_frac": 0.5, "seed": 1}
    masking = PairSampler(tiny_data, **settings, left_out=LeftOut(fields=0.25))
    hidden = np.concatenate([masking.draw(step).hidden for step in range(50)])
    assert 0.22 < hidden.mean() < 0.28
    assert (masking.draw(3).hidden == masking.draw(3).hidden).all()
    assert (masking.draw(3).hidden != masking.draw(4).hidden).any()
