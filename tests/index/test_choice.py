"""The choice of the share of the words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from smar.artifacts import Manifest
from smar.index.ann import gated_queries
from smar.index.choice import SHARES, best_of_level, choose_word_share, metric_by_share
from smar.index.hybrid import HybridIndex, write_index
from smar.index.unseen import UnseenWords
from smar.judging.runs import QuerySet
from smar.models.embeddings import QueryEmbeddings
from tests.index.test_hybrid import QUERIES, encoded, make


def query_set(relevant: csr_matrix) -> QuerySet:
    """Return a set of QUERIES with grade 1 where an item is relevant."""
    size = relevant.shape[0]
    ids = [f"q{number}" for number in range(size)]
    return QuerySet("some", ids, QUERIES[:size], np.zeros(size, np.int64), relevant, 1)


def test_recall_by_share_is_that_of_a_search_with_it():
    index, _ = make(60, 0.0)
    relevant = csr_matrix((np.random.default_rng(3).random((4, 60)) < 0.2).astype(float))
    recalls = metric_by_share(index, query_set(relevant), lambda _: encoded(), 5)
    assert recalls.shape == (len(QUERIES), len(SHARES))
    for share, recall in zip(SHARES, recalls.T, strict=True):
        rows = replace(index, word_share=share).search(QUERIES, encoded(), 5)[1]
        hits = np.take_along_axis(relevant.toarray(), rows, 1).sum(1) / relevant.sum(1).A1
        assert recall == pytest.approx(hits)


@pytest.mark.parametrize(("name", "is_one"), [("validation", False), ("synthetic", True)])
def test_words_that_no_search_used_have_a_share_of_their_own(name: str, is_one: bool):
    """The log's queries are about what vectors find, the others about what words find."""
    index, items = make(60, 0.0)
    queries = encoded()
    similarity = gated_queries(queries.vector, queries.gate) @ items.T
    near = query_set(csr_matrix((similarity >= np.sort(similarity, 1)[:, [-5]]).astype(float)))
    words = np.stack([index.words.shares(text) for text in QUERIES])
    held = (words >= np.sort(words, 1)[:, [-5]]) & (words > 0)
    unseen = query_set(csr_matrix(held[:2].astype(float)))

    def encode(texts: list[str]) -> QueryEmbeddings:
        rows = [QUERIES.index(text) for text in texts]
        return QueryEmbeddings(queries.vector[rows], queries.gate[rows])

    choice = choose_word_share(index, replace(near, name=name), unseen, encode, 5, seed=0)
    assert choice.recalls[0.0] == max(choice.recalls.values()) == 1
    assert choice.unseen[0.0] < choice.unseen[choice.unseen_share] == max(choice.unseen.values())
    assert (choice.share == choice.unseen_share) is is_one
    assert is_one or choice.recalls[choice.share] == 1


def test_of_shares_with_recall_as_good_as_the_best_that_with_the_best_order_is_taken():
    """The third share is .1 below the best one for all queries, the second for one in twenty."""
    recalls, ranks = np.ones((40, len(SHARES))), np.zeros((40, len(SHARES)))
    recalls[:, 3:] = 0.5
    recalls[:, 2] = 0.9
    recalls[::20, 1] = 0.9
    ranks[:, :4] = [0.1, 0.2, 0.3, 0.9]
    assert best_of_level(recalls, ranks) == SHARES[1]
    assert best_of_level(recalls, np.ones_like(ranks)) == SHARES[1]
    recalls[:, 1] = 0.99
    assert best_of_level(recalls, ranks) == SHARES[0]


def test_what_decides_between_shares_is_told():
    index, _ = make(60, 0.0)
    relevant = csr_matrix((np.random.default_rng(3).random((4, 60)) < 0.2).astype(float))
    some, nothing = query_set(relevant), query_set(csr_matrix((0, 60)))
    queries = encoded()

    def encode(texts: list[str]) -> QueryEmbeddings:
        rows = [QUERIES.index(text) for text in texts]
        return QueryEmbeddings(queries.vector[rows], queries.gate[rows])

    choice = choose_word_share(index, some, nothing, encode, 5, seed=0)
    ranks = metric_by_share(index, some, lambda _: encoded(), 10, by_rank=True).mean(0)
    assert list(choice.ranks.values()) == pytest.approx(ranks.tolist())
    recalls = metric_by_share(index, some, lambda _: encoded(), 5).mean(0)
    assert list(choice.recalls.values()) == pytest.approx(recalls.tolist())


def test_of_equal_shares_the_largest_is_taken_and_without_queries_the_share_stays():
    index, _ = make(60, 0.3)
    everything, nothing = query_set(csr_matrix(np.ones((4, 60)))), query_set(csr_matrix((0, 60)))
    choice = choose_word_share(index, everything, nothing, lambda _: encoded(), 60, seed=0)
    assert (choice.share, choice.unseen_share) == (SHARES[-1], None)
    kept = choose_word_share(index, nothing, everything, lambda _: encoded(), 5, seed=0)
    assert (kept.share, kept.unseen_share, kept.recalls) == (0.3, None, {})


def test_only_a_query_with_a_word_that_no_search_used_has_the_other_share(tmp_path: Path):
    index, _ = make(60, 0.1)
    unseen = UnseenWords.of(index.words, ["red boots", "zzz women"], 0.6)
    index = replace(index, unseen=unseen)
    shares = {text: index.share_of(text) for text in ("red boot", "acme boot", "zzz", "red zzz")}
    assert shares == {"red boot": 0.1, "acme boot": 0.6, "zzz": 0.1, "red zzz": 0.1}
    queries = encoded()
    scores, rows = index.search(QUERIES, queries, 10)
    for number, text in enumerate(QUERIES):
        alone = replace(index, word_share=index.share_of(text), unseen=None)
        own_scores, own_rows = alone.search(QUERIES, queries, 10)
        assert (rows[number] == own_rows[number]).all()
        assert (scores[number] == own_scores[number]).all()
    write_index(tmp_path / "index", index, Manifest(kind="index", details={"model_sha": "x"}))
    again = HybridIndex.load(tmp_path / "index")
    assert again.share_of("acme boot") == 0.6
    assert again.share_of("red boot") == 0.1


def test_words_never_count_less_where_they_are_unseen():
    index, _ = make(60, 0.5)
    assert replace(index, unseen=UnseenWords.of(index.words, [], 0.2)).share_of("acme") == 0.5
