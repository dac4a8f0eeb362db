"""The choice of the share of the words."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from smar.index.choice import SHARES, choose_word_share, metric_by_share, safest_share
from smar.judging.runs import QuerySet
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


def test_of_equal_shares_the_largest_is_taken_where_no_word_is_unseen():
    """It is safe for words that no search has used."""
    recalls = np.tile([0.5, 0.6, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4], (10, 1))
    assert safest_share(recalls) == SHARES[4]
    assert safest_share(recalls, np.zeros((0, len(SHARES)))) == SHARES[4]


def test_of_equal_shares_the_best_for_unseen_words_is_taken():
    recalls = np.tile([0.5, 0.6, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4], (10, 1))
    unseen = np.tile([0.1, 0.9, 0.4, 0.6, 0.5, 0.9, 0.9, 0.9], (3, 1))
    assert safest_share(recalls, unseen) == SHARES[3]  # .9 costs recall


def test_of_shares_level_for_unseen_words_too_the_best_recall_decides():
    recalls = np.tile([0.5, 0.6, 0.699, 0.7, 0.6985, 0.6, 0.5, 0.4], (10, 1))
    unseen = np.tile([0.1, 0.2, 0.4, 0.7, 0.7015, 0.9, 0.9, 0.9], (3, 1))
    assert safest_share(recalls, unseen) == SHARES[3]
    unseen[:, 4] = 0.703
    assert safest_share(recalls, unseen) == SHARES[4]


def test_two_thousandths_are_given_away_for_safety_and_no_more():
    recalls = np.tile([0.5, 0.6, 0.7, 0.6985, 0.6975, 0.6, 0.5, 0.4], (10, 1))
    assert safest_share(recalls) == SHARES[3]


def test_share_within_one_standard_error_of_the_best_is_as_good():
    """Differences to the best: none but in one query of 16, of 0.32: mean 0.02, error 0.077 / 4."""
    recalls = np.full((16, len(SHARES)), 0.8)
    recalls[:, 4:] = 0.1
    recalls[0, 3] = 0.8 - 0.32
    assert safest_share(recalls) == SHARES[2]  # 0.02 > 0.0194
    recalls[1, 3] = 0.8 + 0.16  # mean 0.01, error 0.0212
    assert safest_share(recalls) == SHARES[3]


def test_words_that_no_search_used_decide_between_vectors_that_know_nothing():
    """All shares find all relevant items of the log's queries: what is unseen takes the words."""
    index, _ = make(60, 0.0)
    everything = query_set(csr_matrix(np.ones((4, 60))))
    words = np.stack([index.words.shares(text) for text in QUERIES])
    best_by_words = words >= np.sort(words, axis=1)[:, [-5]]
    unseen = query_set(csr_matrix((best_by_words & (words > 0)).astype(float)[:2]))

    def encode(texts: list[str]):
        known = encoded()
        return type(known)(known.vector[: len(texts)], known.gate[: len(texts)])

    choice = choose_word_share(index, everything, unseen, encode, 60, seed=0)
    assert set(choice.recalls.values()) == {1.0}
    assert choice.unseen[choice.share] >= max(choice.unseen.values()) - 0.002
    assert choice.unseen[choice.share] > choice.unseen[0.0]
    nothing = query_set(csr_matrix((0, 60)))
    kept = choose_word_share(replace(index, word_share=0.3), nothing, unseen, encode, 5, seed=0)
    assert (kept.share, kept.recalls) == (0.3, {})
