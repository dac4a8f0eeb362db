"""What every shop has already: BM25 over the same item texts."""

from collections.abc import Sequence

import bm25s
import numpy as np
import Stemmer

from smar.evaluation.runs import Run


def bm25_run(item_texts: Sequence[str], queries: Sequence[str], k: int) -> Run:
    """Return the BM25 run (Lucene's form, k1 1.5, b 0.75) with English stemming.

    Items that share no word with the query are not results.

    Args:
        item_texts: What the text tower sees of each item.
        queries: Query texts.
        k: Results per query.
    """
    stemmer = Stemmer.Stemmer("english")
    settings = {"stopwords": [], "stemmer": stemmer, "show_progress": False}
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(list(item_texts), **settings), show_progress=False)
    tokens = bm25s.tokenize(list(queries), **settings, return_ids=False)
    found = min(k, len(item_texts))
    rows, scores = retriever.retrieve(tokens, k=found, show_progress=False, sorted=True)
    rows, scores = np.asarray(rows, np.int64), np.asarray(scores, np.float32)
    order = np.lexsort((rows, -scores), axis=1)
    rows, scores = np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)
    return Run("bm25", np.where(scores > 0, rows, -1), scores)
