"""The words of texts as they are spelled, of letters alone: what a query's word can be mended to.

What each item's text has is kept by its content, as its words in their one form are: texts of items
that did not change are not read again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import regex
from numpy.typing import NDArray

from smar.index.item_words import ItemWords
from smar.index.word_forms import fold

# What stands between blanks is left alone with a digit in it (sizes, codes), and in scripts
# that part no words by blanks.
RUNS = regex.compile(r"\S+")
LETTERS = regex.compile(r"[\p{L}\p{M}]+")
LEFT = regex.compile(
    r"[\p{N}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
)
_REMEMBERED = 50_000  # runs of characters, of which texts have the same


class _Letters:
    """Words of letters, once for each text that has them."""

    def __init__(self) -> None:
        self._of_run = lru_cache(_REMEMBERED)(_letters_of)

    def of_text(self, text: str) -> list[str]:
        """Return the words of a text."""
        is_plain = text.isascii() and text.isprintable()  # its runs are parted by blanks alone
        runs = text.lower().split() if is_plain else RUNS.findall(fold(text))
        return [*{word for run in runs for word in self._of_run(run)}]


def _letters_of(run: str) -> tuple[str, ...]:
    """Return the words of characters that stand together."""
    return () if LEFT.search(run) else tuple(LETTERS.findall(run))


def read_letters(
    texts: Sequence[str],
    earlier: ItemWords | None = None,
    keys: NDArray[np.uint64] | None = None,
) -> ItemWords:
    """Return the words of each text; those of `earlier` texts are not read again.

    Args:
        texts: The texts, [N].
        earlier: Words of an earlier run.
        keys: What each text is known by, if that is known, [N, 2].
    """
    return ItemWords.read(texts, None, _Letters(), earlier, keys)


def letters_with(
    earlier: ItemWords,
    rows: NDArray[np.int64],
    texts: Sequence[str],
    keys: NDArray[np.uint64],
) -> ItemWords:
    """Return the words of items of which most were read before, as `ItemWords.with_others`."""
    return earlier.with_others(rows, texts, None, _Letters(), keys)


def counted(texts: Iterable[str]) -> Counter[str]:
    """Return how many of some texts have each word."""
    letters = _Letters()
    return Counter(word for text in texts for word in letters.of_text(text))
