"""What a retriever finds among given items.

Shapes: Q queries, k results.
"""

import numpy as np

from smar.index.sought import search_sought
from smar.judging.runs import QuerySet, Run
from smar.models.encode import encode_queries
from smar.service.retriever import Retriever


def rank(retriever: Retriever, queries: QuerySet, item_ids: list[str], k: int) -> Run:
    """Return a retriever's k best of the given items; others are passed over.

    The search goes deeper until every query has k of them or the index has no more.
    """
    place = {item_id: row for row, item_id in enumerate(item_ids)}
    row_of = np.array([place.get(item_id, -1) for item_id in retriever.index.item_ids] + [-1])
    rows = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    if not len(queries):
        return Run(retriever.release, rows, scores)
    asked = [retriever.index.sought(text) for text in retriever.index.read(queries.texts)]
    encoded = encode_queries(retriever.model, [one.text for one in asked])
    size = len(retriever.index.item_ids)
    depth = min(k, size)
    while True:
        found_scores, found = search_sought(retriever.index, asked, encoded, depth)
        mapped = row_of[found]  # row -1 reads the -1 at the end
        if depth == size or ((mapped >= 0).sum(1) >= k).all():
            break
        depth = min(2 * depth, size)
    for query in range(len(queries)):
        kept = np.flatnonzero(mapped[query] >= 0)[:k]
        rows[query, : len(kept)] = mapped[query, kept]
        scores[query, : len(kept)] = found_scores[query, kept]
    return Run(retriever.release, rows, scores)
