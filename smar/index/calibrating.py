"""Fits the probability of relevance to judged queries, or to what shoppers clicked.

Shapes: Q queries, k hits, H hits of all queries, F facts.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from smar.index.choice import Encode
from smar.index.hybrid import HybridIndex
from smar.index.relevance import Calibration, facts
from smar.judging.runs import QuerySet

logger = logging.getLogger(__name__)

_HITS = 50  # of each query
_LEAST = 30  # queries; fewer say nothing about probabilities
_LOST = 0.01  # of the relevant hits that the cut may lose
_INVENTED = 0.25  # weight of each of a query's two invented ones


def with_calibration(index: HybridIndex, sets: Sequence[QuerySet], encode: Encode) -> HybridIndex:
    """Return the index with a calibration fitted to the first set that is large enough.

    Judgements say what is relevant. Clicks and synthetic queries say it of a part c of what is:
    what was not clicked is not irrelevant, and the chance of a click is that of relevance times c
    (Elkan and Noto, 2008), where c is the mean chance of a click over what was clicked.

    A log holds few searches for what the shop lacks, so they are invented: each query with all of
    its words turned around, and with the word turned around that most of its relevant items have
    ("red striped sserd"). Nothing is relevant for those.

    Args:
        index: The index with its share of the words.
        sets: Judged sets named "trial", others by clicks or sources; those before go before.
        encode: Returns queries as the model sees them.
    """
    chosen = next((one for one in sets if len(one) >= _LEAST), None)
    found = None if chosen is None else _fitted(index, chosen, encode)
    if found is None:
        logger.warning("no set of %d queries tells relevant hits apart: no calibration", _LEAST)
    return replace(index, calibration=found)


def _fitted(index: HybridIndex, queries: QuerySet, encode: Encode) -> Calibration | None:
    relevant = queries.relevant.tocsr()
    scores, rows = _hits(index, queries.texts, encode)
    asked = np.vstack(list(_facts(index, queries.texts, scores)))  # [H, F]
    hit = np.vstack([np.isin(rows[q], _row(relevant, q)) for q in range(len(queries))]).ravel()
    if hit.all() or not hit.any():
        return None
    invented = list(_invented(index, queries, relevant))
    of_invented = np.vstack(list(_facts(index, invented, _hits(index, invented, encode)[0])))
    seen = np.vstack([asked, of_invented])
    outcome = np.concatenate([hit, np.zeros(len(of_invented), bool)])
    weight = np.where(np.arange(len(seen)) < len(asked), 1.0, _INVENTED)
    slopes = LogisticRegression(C=10.0).fit(seen, outcome, weight).coef_[0]
    if slopes[0] <= 0:
        return None
    curve = IsotonicRegression(out_of_bounds="clip").fit(seen @ slopes, outcome, weight)
    part = 1.0 if queries.name == "trial" else float(curve.predict(asked[hit] @ slopes).mean())
    chances = np.minimum(curve.y_thresholds_ / part, 1.0)
    told = np.interp(asked[hit] @ slopes, curve.X_thresholds_, chances)
    return Calibration(
        slopes=(float(slopes[0]), float(slopes[1])),
        points=tuple(curve.X_thresholds_.tolist()),
        chances=tuple(chances.tolist()),
        cut=float(np.quantile(told, _LOST)),
        source=queries.name,
    )


def _hits(
    index: HybridIndex, texts: Sequence[str], encode: Encode
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return index.search(texts, encode(list(texts)), _HITS)


def _facts(
    index: HybridIndex, texts: Sequence[str], scores: NDArray[np.float32]
) -> Iterator[NDArray[np.float64]]:
    """Yield the facts of each query's hits, [k, F]."""
    for text, of_query in zip(texts, scores, strict=True):
        yield facts(of_query, index.words.known(text)[0])


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
