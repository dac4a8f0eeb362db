"""What smar answers: queries with their vectors and the items that every engine has to find.

Shapes: Q queries, N items, k results, D embedding length.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.export.encoding import EncodedQuery, encoded
from smar.export.items import vector_parts
from smar.export.source import Source
from smar.models.encode import encode_queries

DEPTH = 10
_NEXT = 10  # items behind the last place, for ties


def expected_answers(source: Source, most: int) -> dict[str, Any]:
    """Return expected.json: at most `most` test queries, encoded, with their best items.

    The items are the best of all, compared one by one, also where smar's own index is approximate;
    `same_as_index` tells in how many of the queries that index finds the same.
    """
    texts = source.queries()
    chosen = np.linspace(0, len(texts) - 1, min(most, len(texts))).astype(int)
    texts = source.index.read([texts[place] for place in chosen])
    embeddings = encode_queries(source.model, texts)
    queries = encoded(source.index, texts, embeddings)
    columns, ids = source.index.words.vocabulary, source.index.item_ids
    depth = min(DEPTH, len(ids))
    found = source.index.search(texts, embeddings, depth)[1]
    entries, same = [], 0
    for query, best, own in zip(queries, _best(source, queries), found, strict=True):
        top = [{"item_id": ids[row], "score": score} for row, score in best]
        same += {row for row, _ in best[:depth]} == set(own.tolist())
        entries.append(query.as_dict(columns) | {"top": top[:depth], "next": top[depth:]})
    return {"same_as_index": same, "queries": entries}


def _best(source: Source, queries: list[EncodedQuery]) -> list[list[tuple[int, float]]]:
    """Return rows and scores of each query's best items, best first, ties by row."""
    words = [source.index.words.shares(query.query) for query in queries]
    best: list[list[tuple[int, float]]] = [[] for _ in queries]
    for start, vectors in vector_parts(source.index):
        for place, query in enumerate(queries):
            similarity = (np.atleast_2d(query.vector) @ vectors.T).max(0).astype(np.float64)
            share = query.word_share
            scores = (1 - share) * similarity + share * words[place][start : start + len(vectors)]
            best[place] = _merged(best[place], start, scores)
    return best


def _merged(
    best: list[tuple[int, float]], start: int, scores: NDArray[np.float64]
) -> list[tuple[int, float]]:
    """Return the best of those found before and of further rows."""
    order = np.argsort(-scores, kind="stable")[: DEPTH + _NEXT]
    more = [(start + int(row), float(scores[row])) for row in order]
    return sorted([*best, *more], key=lambda pair: (-pair[1], pair[0]))[: DEPTH + _NEXT]
