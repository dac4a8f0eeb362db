"""Query sets, slices and BM25."""

import numpy as np
import pandas as pd
import pytest

from smar.data.stems import bag_of_stems
from smar.evaluation.baselines import bm25_run
from smar.index.words import WordIndex
from smar.judging import sets
from smar.judging.runs import build_query_set
from smar.judging.slices import LogFacts, slices_of

ITEMS = ["a", "b", "c"]


def queries(rows: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["query_id", "query", "split", "num_searches"])


def test_validation_grades_the_strongest_action():
    table = queries([("q", "boot", "validation", 3), ("r", "bag", "train", 9)])
    log = pd.DataFrame(
        [
            ("q", "a", "click"),
            ("q", "a", "purchase"),
            ("q", "b", "add_to_cart"),
            ("r", "c", "click"),
        ],
        columns=["query_id", "item_id", "action"],
    )
    result = sets.validation_set(table, log, ITEMS)
    assert result.query_ids == ["q"]
    assert result.qrels.toarray().tolist() == [[3, 2, 0]]
    assert result.relevant_grade == 1


def test_many_validation_queries_are_drawn_from_and_the_set_says_so():
    table = queries([(f"q{n}", f"text {n}", "validation", 1) for n in range(40)])
    log = pd.DataFrame(
        [(f"q{n}", "a", "click") for n in range(0, 40, 2)],
        columns=["query_id", "item_id", "action"],
    )
    whole = sets.validation_set(table, log, ITEMS, most=20, seed=1)
    assert (len(whole), whole.drawn_from, whole.size) == (20, 0, "20")
    drawn = sets.validation_set(table, log, ITEMS, most=8, seed=1)
    assert (len(drawn), drawn.drawn_from, drawn.size) == (8, 20, "8 drawn of 20")
    assert set(drawn.query_ids) < set(whole.query_ids)
    again, other = (sets.validation_set(table, log, ITEMS, most=8, seed=seed) for seed in (1, 2))
    assert again.query_ids == drawn.query_ids != other.query_ids


def test_test_set_holds_judged_test_queries_only():
    table = queries([("t", "boot", "test", 0), ("u", "bag", "test", 0), ("v", "x", "train", 1)])
    labels = pd.DataFrame({"query_id": ["t"], "item_id": ["c"], "grade": [2]})
    result = sets.test_set(table, labels, ITEMS, 2)
    assert result.texts == ["boot"]


def test_judged_queries_are_for_reports_or_for_releases():
    table = queries(
        [("t", "boot", "test", 0), ("u", "bag", "trial", 0), ("l", "boots", "apart", 4)]
    )
    labels = pd.DataFrame({"query_id": ["t", "u"], "item_id": ["c", "a"], "grade": [2, 2]})
    assert sets.test_set(table, labels, ITEMS, 2).texts == ["boot"]
    assert sets.trial_set(table, labels, ITEMS, 2).texts == ["bag"]


def test_synthetic_set_takes_every_item_a_query_was_made_from():
    made = pd.DataFrame(
        [("red", "a", "validation"), ("red", "b", "validation"), ("blue", "c", "train")],
        columns=["query", "item_id", "split"],
    )
    result = sets.synthetic_set(made, ITEMS, seed=0)
    assert result.texts == ["red"]
    assert result.qrels.toarray().tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(("split", "name"), [("validation", "validation"), ("train", "synthetic")])
def test_settings_are_chosen_by_the_log_or_else_by_synthetic_queries(split: str, name: str):
    table = queries([("q", "boot", split, 3)])
    log = pd.DataFrame([("q", "a", "click")], columns=["query_id", "item_id", "action"])
    columns = ["query", "item_id", "split"]
    made = pd.DataFrame([("red", "a", "validation")], columns=columns)
    assert sets.choice_set(table, log, made, ITEMS, seed=0).name == name


def test_slices_follow_relevance_and_traffic():
    table = queries(
        [("1", "shoe", "test", 50), ("2", "book", "test", 20), ("3", "rare", "test", 0)]
    )
    labels = pd.DataFrame(
        {"query_id": ["1", "2", "3", "3"], "item_id": ["a", "c", "a", "c"], "grade": [2] * 4}
    )
    result = build_query_set("test", table, labels, ITEMS, 2)
    category = pd.Series(["Shoes > Boots", "Shoes", "Books"])
    log = LogFacts(pd.Series([50, 20, 20, 10]), {"shoe", "book"}, np.array([True, True, False]))
    slices = slices_of(result, category, ["Shoes"], log)
    assert slices["visual"].tolist() == [True, False, False]
    assert slices["head"].tolist() == [True, False, False]
    assert slices["torso"].tolist() == [False, True, False]
    assert slices["tail"].tolist() == [False, False, True]
    assert slices["unseen"].tolist() == [False, False, True]
    assert slices["cold"].tolist() == [True, False, True]


def test_slices_follow_the_words_that_training_queries_have():
    texts = ["red boots", "boot red wool", "boot red kettle", "size 42 boot", "boot without wool"]
    table = queries([(str(n), text, "test", 0) for n, text in enumerate(texts)])
    ids = [str(n) for n in range(len(texts))]
    labels = pd.DataFrame({"query_id": ids, "item_id": "a", "grade": 2})
    result = build_query_set("test", table, labels, ITEMS, 2)
    trained = {bag_of_stems(text) for text in ("red boot", "wool boot", "size 42", "without")}
    log = LogFacts(pd.Series([], dtype="int64"), trained, np.ones(3, bool))
    found = slices_of(result, pd.Series(["", "", ""]), [], log)
    assert found["new_words"].tolist() == [False, False, True, False, False]
    assert found["new_combination"].tolist() == [False, True, False, True, True]
    assert found["several_wishes"].tolist() == [False, True, True, True, True]
    assert found["numbers"].tolist() == [False, False, False, True, False]
    assert found["negated"].tolist() == [False, False, False, False, True]


def test_type_of_few_items_is_rare():
    ids = [f"i{number}" for number in range(24)]
    category = pd.Series(["Shoes"] * 11 + ["Umbrellas"] * 10 + [""] * 3)
    table = queries([(name, name, "test", 0) for name in ("shoe", "umbrella", "both", "none")])
    rows = {"shoe": [0], "umbrella": [11, 20], "both": [1, 12], "none": [22]}
    labels = pd.DataFrame(
        [(name, ids[row], 2) for name, found in rows.items() for row in found],
        columns=["query_id", "item_id", "grade"],
    )
    result = build_query_set("test", table, labels, ids, 2)
    log = LogFacts(pd.Series([], dtype="int64"), set(), np.ones(24, bool))
    rare = slices_of(result, category, [], log)["rare_type"]
    assert [text for text, told in zip(result.texts, rare, strict=True) if told] == ["umbrella"]


def test_log_tells_traffic_stems_and_items_by_what_is_trained_on():
    table = queries(
        [
            ("1", "red boots", "train", 5),
            ("2", "blue bag", "validation", 3),
            ("3", "hat", "apart", 2),
            ("4", "hat", "test", 2),
        ]
    )
    log = pd.DataFrame({"query_id": ["1", "2", "3"], "item_id": ["a", "b", "c"]})
    facts = LogFacts.of(table, log, ITEMS)
    assert facts.traffic.tolist() == [5, 3, 2]
    assert facts.trained == {bag_of_stems("boot red")}
    assert facts.is_cold.tolist() == [False, True, True]


def test_slices_of_a_shop_without_a_log_are_all_tail():
    table = queries([("1", "shoe", "test", 0)])
    labels = pd.DataFrame({"query_id": ["1"], "item_id": ["a"], "grade": [2]})
    result = build_query_set("test", table, labels, ITEMS, 2)
    log = LogFacts(pd.Series([], dtype="int64"), set(), np.ones(3, bool))
    slices = slices_of(result, pd.Series(["", "", ""]), [], log)
    assert slices["tail"].tolist() == [True]
    assert not slices["head"].any()


def test_bm25_ranks_the_item_that_holds_the_words_and_drops_the_others():
    words = WordIndex.build(["red boots", "blue sandal", "red bag"])
    run = bm25_run(words, ["red boot", "zzz"], 3)
    assert run.rows[0].tolist() == [0, 2, -1]
    assert run.rows[1].tolist() == [-1, -1, -1]
    assert (np.diff(run.scores[0]) <= 0).all()
