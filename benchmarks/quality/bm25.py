"""BM25 by bm25s over the item texts, k1 and b chosen on validation."""

import bm25s
import numpy as np
import Stemmer

from benchmarks.quality.shop import DEPTH, Shop, Trial, arguments
from smar.judging.runs import QuerySet, Run


def main() -> None:
    """Measure and record."""
    options = arguments(__doc__)
    shop = Shop(options.root, options.data)
    settings = {"stopwords": [], "stemmer": Stemmer.Stemmer("english"), "show_progress": False}
    corpus = bm25s.tokenize(shop.texts, **settings)

    def trial(k1: float, b: float) -> Trial:
        index = bm25s.BM25(k1=k1, b=b)
        index.index(corpus, show_progress=False)

        def rank(queries: QuerySet) -> Run:
            tokens = bm25s.tokenize(queries.texts, **settings, return_ids=False)
            rows, scores = index.retrieve(tokens, k=DEPTH, show_progress=False, sorted=True)
            scores = np.asarray(scores, np.float32)
            return Run("bm25", np.where(scores > 0, np.asarray(rows, np.int64), -1), scores)

        return Trial({"k1": k1, "b": b}, rank, 0.0, 0.0)

    shop.record("bm25s", [trial(k1, b) for k1 in (0.9, 1.5, 2.0, 3.0) for b in (0.5, 0.75, 1.0)])


if __name__ == "__main__":
    main()
