"""The words of every item, as they are read from texts, and what BM25 makes of them.

To read a text takes far longer than all that follows, so what a text holds is kept by its content
(`smar/index/kept.py`): words of items that did not change are not read again. Weights are of all
items together, as one more of them changes how rare a word is, and are always computed.

Shapes: N items, V words, P pairs of an item and a word that it has.
"""

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smar.content_keys import KeyTable, keys_of
from smar.index.postings import Postings
from smar.index.word_forms import code_of

K1, B = 1.5, 0.75


class Forms(Protocol):
    """The form that words of texts are kept in."""

    def of_text(self, text: str) -> list[str]:
        """Return the words of a text, a list of the caller's own."""


@dataclass(frozen=True)
class ItemWords:
    """Which words items have, and how often.

    Args:
        keys: What each item's text and codes are known by, [N, 2].
        vocabulary: Words, ascending; each is of an item, [V].
        starts: Where the words of each item begin, and the end, [N + 1].
        numbers: Of words, ascending within an item, [P].
        counts: How often the item has each, [P].
    """

    keys: NDArray[np.uint64]
    vocabulary: list[str]
    starts: NDArray[np.int64]
    numbers: NDArray[np.int32]
    counts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def found_in(self) -> Counter[str]:
        """Return how many items have each word."""
        items = np.bincount(self.numbers, minlength=len(self.vocabulary)).tolist()
        return Counter({w: n for w, n in zip(self.vocabulary, items, strict=True) if w})

    @classmethod
    def read(
        cls,
        texts: Sequence[str],
        codes: Sequence[Sequence[str]] | None,
        forms: Forms,
        earlier: "ItemWords | None" = None,
        keys: NDArray[np.uint64] | None = None,
    ) -> "ItemWords":
        """Return the words of item texts.

        Args:
            texts: One per item.
            codes: Ids, GTINs and the like of each item, that a query finds it by.
            forms: The form that words are kept in.
            earlier: Words in the same form, of which those of items as they are now are taken.
            keys: What the items are known by, if something else tells their texts, [N, 2].
        """
        fields = _fields(texts, codes)
        keys = keys_of(fields) if keys is None else keys
        if earlier is None:
            return _read(keys, fields, forms)
        rows = KeyTable(earlier.keys).rows_of(keys)
        new = np.flatnonzero(rows < 0)
        return _joined(earlier, _read(keys[new], [fields[row] for row in new], forms), keys, rows)

    def with_others(
        self,
        rows: NDArray[np.int64],
        texts: Sequence[str],
        codes: Sequence[Sequence[str]] | None,
        forms: Forms,
        keys: NDArray[np.uint64] | None = None,
    ) -> "ItemWords":
        """Return the words of items of which most are these, as `read` does of all their texts.

        Args:
            rows: Which of these each item is, -1 for another one, [N].
            texts: Of those others, in their order.
            codes: As of `read`, of those others.
            forms: The form that words are kept in.
            keys: What those others are known by, if something else tells their texts.
        """
        fields = _fields(texts, codes)
        keys = keys_of(fields) if keys is None else keys
        known = self.keys[rows] if len(self) else np.empty((len(rows), 2), np.uint64)
        known[rows < 0] = keys
        return _joined(self, _read(keys, fields, forms), known, rows)


def _fields(texts: Sequence[str], codes: Sequence[Sequence[str]] | None) -> list[tuple[str, ...]]:
    """Return what each item is given as, its text and its codes."""
    if codes is None:
        return [*zip(texts, strict=True)]
    return [(text, *names) for text, names in zip(texts, codes, strict=True)]


def _read(keys: NDArray[np.uint64], fields: Sequence[Sequence[str]], forms: Forms) -> ItemWords:
    """Return the words of items, each given as its text and codes."""
    from scipy.sparse import csr_matrix  # a search reads an index without it

    met: dict[str, int] = {}  # words in the order that they were met in
    numbers, counts, sizes = array("i"), array("i"), array("q", [0])
    for text, *codes in fields:
        words = forms.of_text(text)
        words += sorted({code_of(code) for code in codes} - {"", *words})
        # A text without words gets the empty one, which no query has.
        counted = Counter(words or [""])
        numbers.extend(met.setdefault(word, len(met)) for word in counted)
        counts.extend(counted.values())
        sizes.append(len(counted))
    vocabulary = sorted(met)
    place = np.empty(len(met), np.int32)
    place[[met[word] for word in vocabulary]] = np.arange(len(met))
    starts = np.cumsum(np.array(sizes, np.int64))
    parts = np.array(counts, np.int32), place[np.array(numbers, np.int32)], starts
    by_item = csr_matrix(parts, shape=(len(fields), len(vocabulary)))
    by_item.sort_indices()
    return ItemWords(keys, vocabulary, starts, by_item.indices.astype(np.int32), by_item.data)


def _joined(
    earlier: ItemWords, anew: ItemWords, keys: NDArray[np.uint64], rows: NDArray[np.int64]
) -> ItemWords:
    """Return the words of items, those at `rows` of earlier ones, the rest (-1) as they come."""
    is_new = rows < 0
    at = np.where(is_new, np.cumsum(is_new) - 1 + len(earlier), rows)  # of both, one after another
    sizes = np.concatenate([np.diff(earlier.starts), np.diff(anew.starts)])
    begins = np.concatenate([earlier.starts[:-1], anew.starts[:-1] + earlier.starts[-1]])
    starts = np.concatenate([[0], np.cumsum(sizes[at])]).astype(np.int64)
    taken = np.repeat(begins[at] - starts[:-1], sizes[at]) + np.arange(starts[-1])
    both = np.concatenate([earlier.numbers, anew.numbers + np.int32(len(earlier.vocabulary))])[
        taken
    ]
    counts = np.concatenate([earlier.counts, anew.counts])[taken]
    used = np.bincount(both, minlength=len(earlier.vocabulary) + len(anew.vocabulary)) > 0
    vocabulary, renamed = _merged(earlier.vocabulary, anew.vocabulary, used)
    # Ascending numbers stay so: either vocabulary is in order, and an item is of one of them.
    return ItemWords(keys, vocabulary, starts, renamed[both], counts)


def _merged(
    earlier: list[str], anew: list[str], used: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.int32]]:
    """Return the words of two vocabularies that are used, ascending, and the number of each there.

    Args:
        earlier: Words, ascending, [V].
        anew: Others and some of the same, ascending, [W].
        used: Which of these are used, one vocabulary after the other, [V + W].
    """
    size, places = len(earlier), [bisect_left(earlier, word) for word in anew]
    both = [earlier[p : p + 1] == [word] for p, word in zip(places, anew, strict=True)]
    at, is_in_both = np.array(places, np.int64), np.array(both, np.bool_)
    stays, is_new = used[:size].copy(), used[size:] & ~is_in_both
    stays[at[used[size:] & is_in_both]] = True
    vocabulary = [*compress(earlier, stays.tolist()), *compress(anew, is_new.tolist())]
    vocabulary.sort()  # two runs in order
    before = np.concatenate([[0], np.cumsum(stays)])
    renamed = np.empty(size + len(anew), np.int32)
    renamed[:size] = before[:-1] + np.searchsorted(at[is_new], np.arange(size), side="right")
    renamed[size:] = before[at] + np.cumsum(is_new) - 1
    renamed[size:][is_in_both] = renamed[at[is_in_both]]
    return vocabulary, renamed


def bm25(words: ItemWords) -> Postings:
    """Return what every word counts in its items: Lucene's BM25, in the arithmetic of `bm25s`.

    `idf(w) tf / (tf + k1 (1 - b + b length / mean length))`, the idf in float32, the rest in
    float64 and the product in float32.
    """
    from scipy.sparse import csr_matrix  # a search reads an index without it

    size, num_words = len(words), len(words.vocabulary)
    owner = np.repeat(np.arange(size), np.diff(words.starts))
    lengths = np.bincount(owner, words.counts, size)
    found_in = np.bincount(words.numbers, minlength=num_words)
    least = K1 * ((1 - B) + B * lengths / lengths.mean())  # [N]
    shares = words.counts / (least[owner] + words.counts)  # [P]
    weights = (_idf(found_in, size)[words.numbers] * shares).astype(np.float32)
    # By item with ascending words, so that items ascend within a word.
    by_item = csr_matrix((weights, words.numbers, words.starts), shape=(size, num_words))
    by_word = by_item.tocsc()
    starts, rows = by_word.indptr.astype(np.int64), by_word.indices.astype(np.int32)
    return Postings(starts, rows, by_word.data, size)


def _idf(found_in: NDArray[np.int64], num_items: int) -> NDArray[np.float32]:
    """Return Lucene's idf of words found in so many items, each > 0."""
    numbers = np.flatnonzero(np.bincount(found_in))
    values = np.zeros(num_items + 1, np.float32)
    values[numbers] = [math.log(1 + (num_items - n + 0.5) / (n + 0.5)) for n in numbers.tolist()]
    return values[found_in]
