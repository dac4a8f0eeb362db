"""Two retrievers on the same queries over the items that both have."""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import torch

from smar.index.ann import VectorIndex
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.judging.judged import JudgedQueries
from smar.params import load_params
from smar.paths import Paths
from smar.release.comparison import compare, compare_as_served, latency_ms, rank
from smar.service.items import ItemTable
from smar.service.retriever import Retriever


def judged(root: Path) -> JudgedQueries:
    return JudgedQueries.read(Paths(root).releases / "v1" / "judged")


def test_rank_over_some_items_is_the_full_ranking_with_the_others_left_out(small_project: Path):
    retriever = Retriever.load(small_project)
    item_ids = retriever.index.item_ids[::3]
    queries = judged(small_project).on(item_ids)
    run = rank(retriever, queries, item_ids, 7)
    for number, text in enumerate(queries.texts):
        full = [hit.item_id for hit in retriever.search(text, 150)]
        expected = [item_id for item_id in full if item_id in set(item_ids)][:7]
        assert [item_ids[row] for row in run.rows[number]] == expected


def test_rank_with_fewer_items_than_asked_for_leaves_holes(small_project: Path):
    retriever = Retriever.load(small_project)
    judged_queries = judged(small_project)
    item_ids = list(judged_queries.labels["item_id"].unique()[:3])
    run = rank(retriever, judged_queries.on(item_ids), item_ids, 5)
    assert (np.sort(run.rows, axis=1)[:, :2] == -1).all()
    assert (np.sort(run.rows[:, :3], axis=1) == [0, 1, 2]).all()


def test_retriever_compared_with_itself_differs_nowhere(small_project: Path):
    retriever = Retriever.load(small_project)
    params = load_params(small_project / "params.yaml")
    rows = compare(retriever, retriever, judged(small_project), params.evaluate, 1).rows
    assert [row.gap.mean for row in rows] == [0.0] * len(rows)
    assert rows[0].gap.p_value == 1


def test_items_of_one_side_only_count_where_shoppers_are_served_alone(small_project: Path):
    """A release that lacks half of the items is no worse a model, but serves less."""
    whole = Retriever.load(small_project)
    # How rare a word is depends on the catalogue, what a model makes of an item does not.
    whole.index = replace(whole.index, word_share=0.0)
    kept = whole.index.item_ids[::2]
    vectors = whole.index.vectors.gathered(np.arange(len(whole.items)))[::2]
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(np.ascontiguousarray(vectors))
    index = HybridIndex(VectorIndex.of(flat, kept), WordIndex.build([""] * len(kept)), 0.0)
    items = ItemTable(whole.items.table.take(np.arange(0, len(whole.items), 2)))
    half = Retriever(lambda: whole.model, index, items, whole.root, "half")
    params = load_params(small_project / "params.yaml")
    shared = compare(whole, half, judged(small_project), params.evaluate, 1)
    served = compare_as_served(whole, half, judged(small_project), params.evaluate, 1)
    assert shared.rows[0].gap.mean == 0
    assert len(shared.item_ids) == 75
    assert served[0].gap.mean > 0.1


def test_latency_of_each_is_measured(small_project: Path):
    retriever = Retriever.load(small_project)
    threads = torch.get_num_threads(), faiss.omp_get_max_threads()
    times = latency_ms([retriever, retriever], ["boot"], 5)
    assert all(0 < value < 10_000 for value in times)
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == threads
    assert latency_ms([retriever], [], 5) == [0.0]
