"""Fits the probability of relevance to judged queries, or to what shoppers clicked.

Shapes: Q queries, k hits, H hits of all queries, F facts.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from smar.data.misspell import misspell
from smar.index.choice import Encode
from smar.index.hybrid import HybridIndex
from smar.index.relevance import NUM_FACTS, Calibration, facts
from smar.index.unseen import lacking, told_by
from smar.judging.runs import QuerySet

logger = logging.getLogger(__name__)

_HITS = 50  # of each query
_LEAST = 30  # queries; fewer say nothing about probabilities
_LOST = 0.0125  # of the relevant hits that the cut may lose
_INVENTED = 0.5  # weight of each of a query's two invented ones
_MISSPELLED = 0.75  # and of the misspelled one
_LEAST_ASKED = 3  # training queries that use a word which no item has: one may be a slip
_MOST_ASKED = 20_000


@dataclass(frozen=True)
class _Evidence:
    """Hits with what is known of them.

    Args:
        facts: Of each hit, [H, F].
        hit: Whether each is relevant, [H].
        weight: How much each counts, [H].
    """

    facts: NDArray[np.float64]
    hit: NDArray[np.bool_]
    weight: NDArray[np.float64]


def with_calibration(
    index: HybridIndex,
    sets: Sequence[QuerySet],
    encode: Encode,
    trained: Sequence[str] = (),
    seed: int = 0,
) -> HybridIndex:
    """Return the index with a calibration fitted to the first set that is large enough.

    Judgements say what is relevant. Clicks and synthetic queries say it of a part c of what is:
    what was not clicked is not irrelevant, and the chance of a click is that of relevance times c
    (Elkan and Noto, 2008), where c is the mean chance of a click over what was clicked.

    A log holds few searches for what the shop lacks, so they are invented: each query with all of
    its words turned around, and with the word turned around that most of its relevant items have
    ("red striped sserd"). Nothing is relevant for those. What is misspelled looks alike and has an
    answer, so each query is also misspelled, as training misspells them: what was relevant stays.

    Args:
        index: The index with its share of the words.
        sets: Judged sets named "trial", others by clicks or sources; those before go before.
        encode: Returns queries as the model sees them.
        trained: Queries that the model was trained on: what they ask for in other words than the
            items have, in three of them or more, is not unknown.
        seed: Draws the misspellings.
    """
    chosen = next((one for one in sets if len(one) >= _LEAST), None)
    asked = _asked(index, trained)
    found = None if chosen is None else _fitted(index, chosen, encode, asked, seed)
    if found is None:
        logger.warning("no set of %d queries tells relevant hits apart: no calibration", _LEAST)
    return replace(index, calibration=found)


def _asked(index: HybridIndex, trained: Sequence[str]) -> frozenset[str]:
    """Return the words that three queries or more use and no item has, the most used ones."""
    used = Counter(word for text in trained for word in set(lacking(index.words, text)))
    most = sorted(used.items(), key=lambda told: (-told[1], told[0]))[:_MOST_ASKED]
    return frozenset(word for word, times in most if times >= _LEAST_ASKED)


def _fitted(
    index: HybridIndex, queries: QuerySet, encode: Encode, asked: frozenset[str], seed: int
) -> Calibration | None:
    relevant = queries.relevant.tocsr()
    of_own = [(text, row) for row, text in enumerate(queries.texts)]
    given = _evidence(index, of_own, relevant, encode, asked, 1.0)
    if given.hit.all() or not given.hit.any():
        return None
    lacked = [(text, -1) for text in _invented(index, queries, relevant)]
    slips = list(_misspelled(index, queries.texts, seed))
    seen = [
        given,
        _evidence(index, lacked, relevant, encode, asked, _INVENTED),
        _evidence(index, slips, relevant, encode, asked, _MISSPELLED),
    ]
    known = np.vstack([one.facts for one in seen])
    hit, weight = (np.concatenate([getattr(one, n) for one in seen]) for n in ("hit", "weight"))
    slopes = LogisticRegression(C=10.0).fit(known, hit, weight).coef_[0]
    if slopes[0] <= 0:
        return None
    curve = IsotonicRegression(out_of_bounds="clip").fit(known @ slopes, hit, weight)
    of_relevant = given.facts[given.hit] @ slopes
    part = 1.0 if queries.name == "trial" else float(curve.predict(of_relevant).mean())
    chances = np.minimum(curve.y_thresholds_ / part, 1.0)
    told = np.interp(of_relevant, curve.X_thresholds_, chances)
    return Calibration(
        slopes=tuple(slopes.tolist()),
        points=tuple(curve.X_thresholds_.tolist()),
        chances=tuple(chances.tolist()),
        cut=float(np.quantile(told, _LOST)),
        source=queries.name,
        asked=asked,
    )


def _evidence(
    index: HybridIndex,
    texts: Sequence[tuple[str, int]],
    relevant: csr_matrix,
    encode: Encode,
    asked: frozenset[str],
    weight: float,
) -> _Evidence:
    """Return what is known of the hits of texts, each with its row of `relevant`, -1 for none."""
    if not texts:
        return _Evidence(np.zeros((0, NUM_FACTS)), np.zeros(0, bool), np.zeros(0))
    words = index.read([text for text, _ in texts])
    scores, rows = index.search(words, encode(words), _HITS)
    is_found = rows >= 0  # lists that were looked at may hold fewer
    told = [
        facts(of_query[found], told_by(index.words, text, asked))
        for text, of_query, found in zip(words, scores, is_found, strict=True)
    ]
    none = np.empty(0, np.int64)
    hit = [
        np.isin(of_query[found], none if row < 0 else _row(relevant, row))
        for of_query, found, (_, row) in zip(rows, is_found, texts, strict=True)
    ]
    return _Evidence(np.vstack(told), np.concatenate(hit), np.full(is_found.sum(), weight))


def _misspelled(index: HybridIndex, texts: Sequence[str], seed: int) -> Iterator[tuple[str, int]]:
    """Yield queries with one slip that makes a word which no item has, each with its row."""
    rng = Random(seed)  # noqa: S311 - nothing secret
    for row, text in enumerate(texts):
        slipped = misspell(text, rng)
        if len(lacking(index.words, slipped)) > len(lacking(index.words, text)):
            yield slipped, row


def _invented(index: HybridIndex, queries: QuerySet, relevant: csr_matrix) -> Iterator[str]:
    """Yield two queries for each whose words turned around are words that no item has."""
    for number, text in enumerate(queries.texts):
        words = text.split()
        right = _row(relevant, number)
        held = [np.isin(right, np.flatnonzero(index.words.shares(word))).sum() for word in words]
        place = int(np.argmax(held))
        of_kind = [word[::-1] if n == place else word for n, word in enumerate(words)]
        whole = " ".join(word[::-1] for word in words)
        if index.words.known(words[place][::-1])[1] == 0:
            yield " ".join(of_kind)
        if index.words.known(whole)[1] == 0:
            yield whole


def _row(matrix: csr_matrix, row: int) -> NDArray[np.int64]:
    """Return the columns of a row of a sparse matrix that hold something."""
    return np.asarray(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]], np.int64)
