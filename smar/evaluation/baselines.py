"""What every shop has already: BM25 over the same item texts."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from smar.index.words import WordIndex
from smar.judging.runs import Run


def bm25_run(words: WordIndex, queries: Sequence[str], k: int) -> Run:
    """Return the BM25 run; items that share no word with the query are not results.

    Args:
        words: The words of what the text tower sees of each item.
        queries: Query texts.
        k: Results per query.
    """
    rows = np.full((len(queries), k), -1, np.int64)
    scores = np.zeros((len(queries), k), np.float32)
    for place, query in enumerate(tqdm(queries, desc="bm25", unit="query", disable=None)):
        best, shares = words.best(query, k)
        rows[place, : len(best)], scores[place, : len(best)] = best, shares
    return Run("bm25", rows, scores)
