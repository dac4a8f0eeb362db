"""Words that searches used of items, for the item text tower to read beside their texts.

A shopper who clicks a "navy casual shirt" whose text says shirt has described it. A document that
is found by queries is found better if it holds them (Xue et al., 2004; doc2query, Nogueira et al.,
2019, which has to invent them). Here they are those of the log.

Shapes: C clicks, N items, B of them.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from smar.data.stems import bag_of_stems

_WORD = re.compile(r"\w+")
MOST = 32
"""Words of an item, at most."""
_LEAST_QUERIES = 5  # that have a word, for it to be told: slips of the keyboard have fewer


class SearchedWords:
    """The words of the queries that led to items, where their texts leave them out.

    Of n different queries that led to an item, n_w with the word w, which a share p_w of all
    queries has, the item is told w if `n_w / n > p_w`; those with the largest difference first.

    Example:
        Five of ten queries say teal, and all of the first item's.

        >>> asked = [f"teal shirt {size}" for size in "abcde"]
        >>> words = SearchedWords(["shirt", "sofa"], [0] * 5 + [1] * 5, [*asked, *"vwxyz"])
        >>> words.of(0)
        'teal'
        >>> words.of(0, without=asked)
        ''

    Args:
        texts: Of each item, [N].
        rows: The item of each click, [C].
        queries: The query of each click, [C].
        most: Words of an item at most, at least 1.
    """

    def __init__(
        self, texts: Sequence[str], rows: Sequence[int], queries: Sequence[str], most: int = 8
    ) -> None:
        self._texts, self._most = texts, most
        place = {query: number for number, query in enumerate(dict.fromkeys(queries))}
        self._bags = [bag_of_stems(query) for query in place]
        self._words = [frozenset(_WORD.findall(query.lower())) for query in place]
        numbers = np.array([place[query] for query in queries], np.int64)
        led = np.unique(np.asarray(rows, np.int64) * len(place) + numbers)  # each pair once
        self._led = (led % max(1, len(place))).astype(np.int32)
        self._starts = np.searchsorted(led, np.arange(len(texts) + 1) * len(place))
        counts = Counter(word for words in self._words for word in words)
        size = max(1, len(self._words))
        self._share = {w: n / size for w, n in counts.items() if n >= _LEAST_QUERIES}

    def __len__(self) -> int:
        return len(self._texts)

    def of(
        self,
        row: int,
        without: Collection[str] = (),
        untold: Sequence[bool] | NDArray[np.bool_] = (),
    ) -> str:
        """Return the words of an item, parted by blanks, the surest first; "" for none.

        Args:
            row: Of the item.
            without: Queries that do not count, nor do others of the same stems: a training or a
                measurement by a pair of query and item must not read the answer.
            untold: True at the places of words that are left out; none are behind its end.
        """
        left_out = set(map(bag_of_stems, without))
        numbers = self._led[self._starts[row] : self._starts[row + 1]].tolist()
        led = [number for number in numbers if self._bags[number] not in left_out]
        counts = Counter(word for number in led for word in self._words[number])
        own = set(bag_of_stems(self._texts[row].lower()).split())
        above = {
            word: count / len(led) - self._share[word]
            for word, count in counts.items()
            if word in self._share and bag_of_stems(word) not in own
        }
        told = sorted((word for word in above if above[word] > 0), key=lambda w: (-above[w], w))
        hidden = [*untold, *([False] * self._most)]
        return " ".join(
            w for w, is_hidden in zip(told[: self._most], hidden, strict=False) if not is_hidden
        )

    def beside(
        self,
        rows: NDArray[np.int64],
        asked: Iterable[tuple[int, str]],
        untold: NDArray[np.bool_] | None = None,
    ) -> list[str]:
        """Return the words of some items, each without what its own queries say of it, [B].

        Args:
            rows: Of the items, [B].
            asked: Pairs that are learned from or measured by: a place among the items, a query.
            untold: As `of` has it, of each item, [B, any]; None leaves out none.
        """
        without: dict[int, set[str]] = {}
        for place, query in asked:
            without.setdefault(place, set()).add(query)
        hidden = np.zeros((len(rows), 0), bool) if untold is None else untold
        return [
            self.of(row, without.get(place, ()), hidden[place])
            for place, row in enumerate(rows.tolist())
        ]

    def all(self) -> list[str]:
        """Return the words of every item, [N]."""
        return [self.of(row) for row in range(len(self))]


def with_words(texts: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return item texts with further words behind them, as their last field, [N] each."""
    pairs = zip(texts, words, strict=True)
    return [" ; ".join(part for part in pair if part) for pair in pairs]
