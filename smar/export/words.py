"""What it takes to read the words of a query as smar does, as data."""

from typing import Any

from smar.index.hybrid import HybridIndex


def words_content(index: HybridIndex) -> dict[str, Any]:
    """Return words.json: how words are stemmed, each word's column and idf, and their share.

    A query's sparse vector has, for each of its words that an item has, `share / reachable`, where
    `reachable` is the idf of all its words together and a word that no item has counts
    `unknown_idf`.
    """
    idf, unknown = index.words.idf()
    return {
        "share": index.word_share,
        "stemmer": index.words.stemmer,
        "unknown_idf": unknown,
        "words": {word: [column, idf[column]] for word, column in index.words.vocabulary.items()},
    }
