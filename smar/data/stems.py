"""The words of a query without order and endings: what two spellings of one wish share."""

import re
from functools import lru_cache

import Stemmer

_WORD = re.compile(r"\w+")
_ENGLISH = Stemmer.Stemmer("english")


def bag_of_stems(text: str) -> str:
    """Return the distinct stemmed words of a normalised text in alphabetic order, parted by spaces.

    "red boots" and "boot red" have the same: whoever trains on one was told the answer to the
    other. Stems are English ones; in another language the bag is finer than it could be. A text
    without a word is its own bag.
    """
    stems = set(map(_stem, _WORD.findall(text)))
    return " ".join(sorted(stems)) or text


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    stem: str = _ENGLISH.stemWord(word)
    return stem
