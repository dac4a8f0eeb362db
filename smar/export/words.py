"""What it takes to read the words of a query as smar does, as data."""

from typing import Any

import numpy as np

from smar.index.hybrid import HybridIndex


def words_content(index: HybridIndex) -> dict[str, Any]:
    """Return words.json: how words are stemmed, each word's column and idf, and their share.

    A query's sparse vector has, for each of its words that an item has, `share / reachable`, where
    `reachable` is the idf of all its words together and a word that no item has counts
    `unknown_idf`. Where one of its words that an item has is, in every form, one of the columns
    `unseen`, which no search has used, the larger one of `share` and `unseen_share` counts.
    """
    idf, unknown = index.words.idf()
    unseen = index.unseen
    return {
        "share": index.word_share,
        "unseen_share": index.word_share if unseen is None else unseen.share,
        "unseen": [] if unseen is None else np.flatnonzero(unseen.mask).tolist(),
        "stemmer": index.words.stemmer,
        "unknown_idf": unknown,
        "words": {word: [column, idf[column]] for word, column in index.words.vocabulary.items()},
    }
