"""The index stage: where the words' share comes from."""

import json
from pathlib import Path

import pytest
import yaml

from smar.errors import ParamsError
from smar.index.hybrid import HybridIndex
from smar.paths import Paths
from smar.stages import index


def run_with(root: Path, share: str | float, click_words: str | float = "auto") -> dict[str, float]:
    paths = Paths(root)
    params = yaml.safe_load(paths.params.read_text())
    params["index"] |= {"word_share": share, "click_words": click_words}
    paths.params.write_text(yaml.safe_dump(params))
    index.run(root)
    return json.loads(paths.outcome("index").read_text())


def test_no_share_finds_more_than_the_auto_one_and_orders_better_too(small_project: Path):
    figures = run_with(small_project, "auto")
    recalls, ranks = (
        {float(k.removeprefix(prefix)): v for k, v in figures.items() if k.startswith(prefix)}
        for prefix in ("recall_with_word_share_", "ndcg_with_word_share_")
    )
    assert len(recalls) == len(ranks) == 8
    own = figures["word_share"]
    assert all(recalls[own] >= recalls[w] or ranks[own] >= ranks[w] for w in recalls)
    assert HybridIndex.load(Paths(small_project).index).word_share == figures["word_share"]


def test_given_share_is_taken_and_nothing_is_measured(small_project: Path):
    figures = run_with(small_project, 0.25)
    assert figures["word_share"] == 0.25
    assert not [name for name in figures if name.startswith("recall_with")]


@pytest.mark.parametrize("share", [-0.1, 1.0, True, "most"])
def test_share_that_is_none_is_refused(small_project: Path, share: str | float):
    with pytest.raises(ParamsError, match=r"index\.word_share: expected .auto"):
        run_with(small_project, share)


@pytest.mark.parametrize("negation", [True, False])
def test_index_carries_whether_denials_are_left_out(small_project: Path, negation: bool):
    paths = Paths(small_project)
    params = yaml.safe_load(paths.params.read_text())
    params["index"] |= {"word_share": 0.25, "negation": negation}
    paths.params.write_text(yaml.safe_dump(params))
    index.run(small_project)
    found = HybridIndex.load(paths.index)
    assert found.negation is negation
    assert bool(found.sought("shirt not red").left_out) is negation


def test_words_of_clicks_count_what_clearly_finds_most_or_what_is_given(small_project: Path):
    figures = run_with(small_project, "auto")
    prefix = "recall_with_click_words_"
    recalls = {float(k.removeprefix(prefix)): v for k, v in figures.items() if prefix in k}
    assert sorted(recalls) == [0, 0.5, 1]
    assert figures["click_words"] in (0, max(recalls, key=recalls.__getitem__))
    assert run_with(small_project, 0.25)["click_words"] == 0
    assert run_with(small_project, 0.25, 0.75)["click_words"] == 0.75
    paths = Paths(small_project)
    assert HybridIndex.load(paths.index).words.clicked
    again = run_with(small_project, 0.25, 0.75)
    assert again["click_words"] == 0.75
    assert HybridIndex.load(paths.index).words.clicked


def test_excluding_words_take_away_what_clearly_orders_best_or_what_is_given(small_project: Path):
    figures = run_with(small_project, "auto")
    for metric in ("recall", "ndcg"):
        prefix = f"{metric}_with_exclusive_words_"
        tried = [float(name.removeprefix(prefix)) for name in figures if prefix in name]
        assert tried == ([0, 0.5, 1] if figures["word_share"] else [])
    assert figures["exclusive_words"] in (0, 0.5, 1)
    paths = Paths(small_project)
    params = yaml.safe_load(paths.params.read_text())
    params["index"]["exclusive_words"] = 0.75
    paths.params.write_text(yaml.safe_dump(params))
    for share in (0.25, 0.25):  # anew, then as it was fitted
        assert run_with(small_project, share)["exclusive_words"] == 0.75
        found = HybridIndex.load(paths.index).exclusive
        assert found is not None
        assert found.weight == 0.75
        assert len(found.starts) == len(HybridIndex.load(paths.index).item_ids) + 1


def test_without_clicks_nothing_is_told_of_them(small_project: Path):
    import pyarrow.parquet as pq

    file = Paths(small_project).engagements
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    figures = run_with(small_project, "auto")
    assert figures["click_words"] == 0
    assert figures["exclusive_words"] == 0
    assert not [name for name in figures if "click_words_" in name or "exclusive_words_" in name]
    found = HybridIndex.load(Paths(small_project).index)
    assert not found.words.clicked
    assert found.exclusive is None
