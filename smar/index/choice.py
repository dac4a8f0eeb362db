"""What is chosen when items are indexed: how much the words of an item count.

Shapes: Q queries, K vectors a query, N items, D embedding length.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smar.index.ann import gated_queries
from smar.index.exclusive_words import ExclusiveWords
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.judging.metrics import Metric, judge, ndcg, recall
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings
from smar.seeding import generator

Encode = Callable[[list[str]], QueryEmbeddings]

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""The shares of the words that are tried."""
CLICK_WORDS = (0.0, 0.5, 1.0)
"""What words of clicks are tried to count, beside those of texts."""
EXCLUSIVE_WORDS = (0.0, 0.5, 1.0)
"""What words that exclude those of a query are tried to take away."""
_CLEAR = 2.0  # standard errors from which on a difference is not chance
_ROUNDING = 1e-9
_MOST_QUERIES = 2000  # that the words' share is chosen by
_TOP = 10  # results that words no search has used are measured at


@dataclass(frozen=True)
class ShareChoice:
    """The words' shares that were chosen, and why.

    Args:
        share: w of a query whose words searches have used, in [0, 1).
        unseen_share: w of a query that has another word of items; None for the same.
        recalls: Mean recall by share on the queries that w was chosen by.
        ranks: Mean nDCG@10 by share on these.
        unseen: Mean nDCG@10 by share on queries of words that no search has used; empty without.
    """

    share: float
    unseen_share: float | None
    recalls: dict[float, float]
    ranks: dict[float, float]
    unseen: dict[float, float]


def choose_word_share(
    index: HybridIndex,
    chosen_by: QuerySet,
    unseen: QuerySet,
    encode: Encode,
    k: int,
    seed: int,
) -> ShareChoice:
    """Return the share of the words for what was searched, and that of words no search has used.

    The first has the best nDCG@10 of those whose recall, query by query, is less than two standard
    errors below the best one: over many shares the recall of a few hundred queries hardly differs,
    and its best by chance may leave to vectors what words order better.

    A log repeats itself: measured on it, vectors look as if they knew every word. So its queries
    choose for what has been searched for, and made ones for the rest, where words never count less.
    Queries that are made of items' words, where there is no log, say nothing about either: every
    share finds them, and the unseen words choose for all.

    Without a query to choose by the index keeps its own share.

    Args:
        index: The index; its own share does not matter.
        chosen_by: Queries that nothing is reported of; at most 2,000 of them are searched.
        unseen: Queries of words that no search has used, of which nothing is reported either.
        encode: Returns queries as the model sees them.
        k: Results per query that recall is measured at.
        seed: Draws the queries.
    """
    some = _drawn(chosen_by, seed)
    if not len(some):
        return ShareChoice(index.word_share, None, {}, {}, {})
    share, recalls, ranks = share_by(index, some, encode, k)
    ranked = metric_by_share(index, unseen, encode, _TOP, by_rank=True)
    of_unseen = _best(ranked) if len(ranked) else None
    if of_unseen is not None:
        of_unseen = max(share, of_unseen)
        share = of_unseen if chosen_by.name == "synthetic" else share
    return ShareChoice(share, of_unseen, _means(recalls), _means(ranks), _means(ranked))


def share_by(
    index: HybridIndex, queries: QuerySet, encode: Encode, k: int
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of the words that queries choose, and what by: see `choose_word_share`.

    Args:
        index: The index; its own share does not matter.
        queries: At least one.
        encode: Returns queries as the model sees them.
        k: Results per query that recall is measured at.

    Returns:
        The share, and recall@k and nDCG@10 of every query with each of `SHARES`, [Q, shares] each.
    """
    found = _rows_by_share(index, queries, encode, max(k, _TOP))
    recalls, ranks = _metric_of(recall, found, queries, k), _metric_of(ndcg, found, queries, _TOP)
    return best_of_level(recalls, ranks), recalls, ranks


def choose_click_words(
    index: HybridIndex,
    clicked: Callable[[float], WordIndex],
    chosen_by: QuerySet,
    encode: Encode,
    k: int,
    seed: int,
) -> tuple[float, dict[float, float]]:
    """Return what words of clicks count, and the mean recall with each weight of `CLICK_WORDS`.

    The share is not chosen along with it: what was shown and clicked before is shown and clicked
    again, so that held-out clicks would let words of clicks outweigh all else. For the same reason
    the best weight is taken only where it gains more than two standard errors over none, query by
    query. 0 and no recalls where no click chooses: queries that are made of an item's words say
    nothing about what clicks tell of it.

    Args:
        index: The index; its share was chosen without clicks.
        clicked: Returns the words of items with those of their clicks, at a weight.
        chosen_by: As for `choose_word_share`.
        encode: Returns queries as the model sees them.
        k: Results per query that recall is measured at.
        seed: Draws the queries.
    """
    some = _drawn(chosen_by, seed)
    if not len(some) or chosen_by.name == "synthetic":
        return 0.0, {}
    tried = (replace(index, words=clicked(weight)) for weight in CLICK_WORDS)  # in memory by turns
    recalls = _metric_of(recall, _rows_of(tried, some, encode, k), some, k)
    means = {w: float(each.mean()) for w, each in zip(CLICK_WORDS, recalls.T, strict=True)}
    best = max(means, key=means.__getitem__)  # the first of equals
    return best if _is_gain(recalls, CLICK_WORDS.index(best)) else 0.0, means


def choose_exclusive_words(
    index: HybridIndex,
    exclusive: ExclusiveWords,
    chosen_by: QuerySet,
    encode: Encode,
    k: int,
    seed: int,
) -> tuple[float, dict[float, float], dict[float, float]]:
    """Return what excluding words take away, and mean recall and nDCG@10 by `EXCLUSIVE_WORDS`.

    The weight has the best nDCG@10 of those whose recall is level with the best, as the words'
    share has, and is taken only where recall or nDCG@10 gains more than two standard errors over
    none, query by query. 0 and no means where no click chooses, as in `choose_click_words`.

    Args:
        index: The index with all its words and their share.
        exclusive: Which words exclude each other; its own weight does not matter.
        chosen_by: As for `choose_word_share`.
        encode: Returns queries as the model sees them.
        k: Results per query that recall is measured at.
        seed: Draws the queries.
    """
    some = _drawn(chosen_by, seed)
    if not len(some) or chosen_by.name == "synthetic":
        return 0.0, {}, {}
    tried = [
        replace(index, exclusive=replace(exclusive, weight=weight)) for weight in EXCLUSIVE_WORDS
    ]
    found = _rows_of(tried, some, encode, max(k, _TOP))
    recalls, ranks = _metric_of(recall, found, some, k), _metric_of(ndcg, found, some, _TOP)
    best = best_of_level(recalls, ranks, EXCLUSIVE_WORDS)
    column = EXCLUSIVE_WORDS.index(best)
    is_gain = _is_gain(recalls, column) or _is_gain(ranks, column)
    means = [
        dict(zip(EXCLUSIVE_WORDS, values.mean(0).tolist(), strict=True))
        for values in (recalls, ranks)
    ]
    return (best if is_gain else 0.0), means[0], means[1]


def _drawn(queries: QuerySet, seed: int) -> QuerySet:
    """Return the queries that are searched, drawn from all."""
    return queries.some(generator(seed, "words").permutation(len(queries))[:_MOST_QUERIES])


def _is_gain(values: NDArray[np.float64], column: int) -> bool:
    """Return whether one of what was tried gains over the first beyond chance, [Q, tried]."""
    gain = values[:, column] - values[:, 0]
    return bool(gain.mean() > _CLEAR * gain.std() / math.sqrt(len(gain)))


def _best(values: NDArray[np.float64], tried: Sequence[float] = SHARES) -> float:
    """Return the share with the best mean, [Q, shares], the largest of equals."""
    means = values.mean(0).round(9)
    return tried[int(np.flatnonzero(means == means.max())[-1])]


def best_of_level(
    values: NDArray[np.float64], ranks: NDArray[np.float64], tried: Sequence[float] = SHARES
) -> float:
    """Return the share with the best ranks of those whose values are as good as the best.

    Args:
        values: Of every query with each share, [Q, shares].
        ranks: The same of another metric, which decides between those.
        tried: The shares.
    """
    gap = values - values[:, [tried.index(_best(values, tried))]]
    error = gap.std(0) / math.sqrt(len(gap))
    is_level = gap.mean(0) >= -_CLEAR * error - _ROUNDING
    return _best(np.where(is_level, ranks, -1.0), tried)


def metric_by_share(
    index: HybridIndex, queries: QuerySet, encode: Encode, k: int, *, by_rank: bool = False
) -> NDArray[np.float64]:
    """Return recall@k of every query with each of `SHARES`, or nDCG@k by rank, [Q, shares].

    Args:
        index: The index; its own share does not matter.
        queries: The queries.
        encode: Returns queries as the model sees them.
        k: Results per query.
        by_rank: Whether the ranks of the results count.
    """
    rows = _rows_by_share(index, queries, encode, k)
    return _metric_of(ndcg if by_rank else recall, rows, queries, k)


def _rows_by_share(
    index: HybridIndex,
    queries: QuerySet,
    encode: Encode,
    k: int,
    shares: Sequence[float] = SHARES,
) -> NDArray[np.int64]:
    """Return the k best rows of every query with each of some shares, [shares, Q, k]."""
    rows = np.full((len(shares), len(queries), k), -1, np.int64)
    if not len(queries):
        return rows
    texts = index.read(queries.texts)
    encoded = encode(texts)
    found = index.candidates(texts, gated_queries(encoded.vector, encoded.gate), k)
    bar = tqdm(found, desc="words", unit="query", total=len(queries), disable=None)
    for query, candidates in enumerate(bar):
        for place, share in enumerate(shares):
            best = candidates.best(share, k)[1]
            rows[place, query, : len(best)] = best
    return rows


def _rows_of(
    tried: Iterable[HybridIndex], queries: QuerySet, encode: Encode, k: int
) -> NDArray[np.int64]:
    """Return the k best rows of every query in some indexes, each at its share, [tried, Q, k]."""
    found = [_rows_by_share(each, queries, encode, k, (each.word_share,)) for each in tried]
    return np.concatenate(found)


def _metric_of(
    metric: Metric, rows: NDArray[np.int64], queries: QuerySet, k: int
) -> NDArray[np.float64]:
    """Return a metric at k of every query with each share, [Q, shares]."""
    if not len(queries):
        return np.zeros((0, len(rows)))
    scores = np.zeros(rows.shape[1:], np.float32)
    judged = (judge(Run("words", of_share, scores), queries, k) for of_share in rows)
    return np.stack([metric(one, k) for one in judged], axis=1)


def _means(values: NDArray[np.float64]) -> dict[float, float]:
    """Return the mean by share, empty without a query."""
    return dict(zip(SHARES, values.mean(0).tolist(), strict=True)) if len(values) else {}


def draw_queries(
    texts: NDArray[np.object_],
    vectors: NDArray[np.float32],
    encode: Encode,
    size: int,
    seed: int,
) -> NDArray[np.float32]:
    """Return vectors to measure an index with: real queries, else items' own at gate 1/2.

    Args:
        texts: Query texts, [Q], of which `size` are drawn.
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D], drawn from where there is no query.
        encode: Returns queries as the model sees them.
        size: How many are drawn; a query with K vectors gives K rows, each a search.
        seed: Draws them.
    """
    rng = generator(seed, "index")
    if len(texts):
        encoded = encode(list(rng.choice(texts, min(size, len(texts)), replace=False)))
        gated = gated_queries(encoded.vector, encoded.gate)
        return gated.reshape(-1, gated.shape[-1])
    rows = rng.choice(len(vectors), min(size, len(vectors)), replace=False)
    return np.asarray(vectors[rows] / 2, np.float32)
