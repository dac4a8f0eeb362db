"""Hard negatives from the index of a model that is about to be trained on.

Shapes: Q queries, R ranks.
"""

import logging

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.index.building import build_index
from smar.params import IndexParams, NegativeParams
from smar.seeding import generator
from smar.train.dataset import TrainingData
from smar.train.guide import Guide
from smar.train.negatives import HardPool
from smar.train.pairs import Pairs

logger = logging.getLogger(__name__)

_BLOCK = 400_000  # pairs whose words are compared at once
_ITEMS = 65_536  # whose pairs are looked at at once
_EXACT_BELOW = 50_000  # an approximate index is good enough: a missed hard negative costs nothing
_RECALL = 0.8


def hard_pools(
    guide: Guide | None, data: TrainingData, params: NegativeParams, seed: int
) -> list[HardPool]:
    """Return the pools of hard negatives that were asked for; arguments as `mine_negatives`."""
    pools = []
    if params.impressed and data.shown is not None:
        pools.append(HardPool(data.shown, params.impressed))
    if params.mined and guide is not None:
        pools.append(mine_negatives(guide, data, params, seed))
    return pools


def needs_guide(params: NegativeParams) -> bool:
    """Return whether what the pretrained model says of pairs is asked for."""
    return params.mined > 0 or params.guided


def mine_negatives(guide: Guide, data: TrainingData, params: NegativeParams, seed: int) -> HardPool:
    """Return for every logged query the items that a model ranks high, but that are not right.

    Searched as the model searches: `[(1-g) Q ; g Q]` over `[S_t ; S_m]`. Right, and so left out,
    is what was engaged for the query (or is its source, if it is synthetic), what equals such an
    item, and what holds every word of the query. With a margin an item is left out too that scores
    as high as the query's own ones do in the mean, but for that share of it: it probably fits.

    Args:
        guide: What the model says.
        data: The training data.
        params: Ranks, margin and how many join a step.
        seed: Decides which queries an approximate index is measured with.
    """
    vectors = guide.query_vectors

    def sample() -> NDArray[np.float32]:
        flat = vectors.reshape(-1, vectors.shape[-1])
        return generator(seed, "mining").choice(flat, min(500, len(flat)), replace=False)

    settings = IndexParams(
        exact_below=_EXACT_BELOW,
        recall_target=_RECALL,
        recall_at=params.last_rank,
        sample_queries=500,
        word_share=0.0,
    )
    item_ids = [str(row) for row in range(data.num_items)]
    index = build_index(guide.item_vectors, item_ids, settings, sample)
    scores, rows = index.search(vectors, params.last_rank)
    scores, rows = scores[:, params.first_rank - 1 :], rows[:, params.first_rank - 1 :]  # [Q, R]
    query = np.repeat(guide.queries, rows.shape[1])
    item = rows.ravel()
    wrong = item >= 0
    if params.margin:
        own = _own_scores(guide, data)
        limit = own - params.margin * np.abs(own)
        wrong &= (scores <= limit[:, None]).ravel()
    wrong[wrong] = ~_is_right(data, query[wrong], item[wrong])
    shape = (len(data.queries), data.num_items)
    ones = np.ones(int(wrong.sum()), np.float32)
    pool = HardPool(csr_matrix((ones, (query[wrong], item[wrong])), shape=shape), params.mined)
    logger.info("mined %d negatives for %d queries", len(ones), len(guide.queries))
    return pool


def _own_scores(guide: Guide, data: TrainingData) -> NDArray[np.float64]:
    """Return the mean score of the items of each query that the guide knows, [Q]."""
    pairs = data.real if len(data.real) else data.synthetic
    query = np.asarray(pairs.query, np.int64)
    place = np.searchsorted(guide.queries, query)
    total = np.bincount(place, guide.of_pairs(query, pairs.item), len(guide.queries))
    mean: NDArray[np.float64] = total / np.bincount(place, minlength=len(guide.queries))
    return mean


def _is_right(
    data: TrainingData, query: NDArray[np.int64], item: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which (query, item) pairs are no negatives."""
    result = np.zeros(len(query), bool)
    for start in range(0, len(query), _BLOCK):
        part = slice(start, start + _BLOCK)
        result[part] = data.pairs_hold_words(query[part], item[part])
    num_groups = int(data.group.max()) + 1
    asked = np.unique(query)
    known = [
        _groups_of(pairs, asked, data.group, num_groups) for pairs in (data.real, data.synthetic)
    ]
    return result | np.isin(query * num_groups + data.group[item], np.concatenate(known))


def _groups_of(
    pairs: Pairs, asked: NDArray[np.int64], group: NDArray[np.int64], num_groups: int
) -> NDArray[np.int64]:
    """Return `query * num_groups + group` of every pair of the queries asked."""
    found = [np.empty(0, np.int64)]
    for start in range(0, len(group), _ITEMS):
        items = np.arange(start, min(start + _ITEMS, len(group)))
        query, owner = pairs.of_items(items)
        is_asked = np.isin(query, asked)
        found.append(query[is_asked] * num_groups + group[items[owner[is_asked]]])
    return np.unique(np.concatenate(found))
