"""What is searched for a query that says what is not wanted, and which items it leaves out.

Shapes: N items, C rows, Q queries, k results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smar.data.negation import DENIALS, Denials, negation_of
from smar.index.allowed import Allowed
from smar.index.query_vectors import Found
from smar.models.embeddings import QueryEmbeddings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from smar.index.hybrid import HybridIndex
    from smar.index.words import WordIndex

_OFTEN, _LEAST, _FEWEST = 3, 0.1, 3  # of texts in which a word denies; below, it is by chance
_MOST = 0.5  # of the texts with a word: then fewer say that they are without it
_OF_TITLE = 6  # words that a text has all of by chance no more
_SURE = 0.8  # of a word's surest picture: from there on an item is left out for it


@dataclass(frozen=True)
class Without:
    """What items are left out by, as `held` tells what they have.

    Args:
        words: Numbers of the forms of each of some words: an item with one of each is left out.
        unless: Numbers of words; an item with one of them stays.
    """

    words: tuple[tuple[int, ...], ...]
    unless: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sought:
    """What is searched for a query.

    Args:
        text: Is encoded and looked up among words.
        left_out: What the items that are left out have, as the query writes it.
        rows: These items, ascending, [C].
        without: The same for whoever has the words of items and not these rows.
    """

    text: str
    left_out: tuple[str, ...] = ()
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), compare=False)
    without: tuple[Without, ...] = field(default=(), compare=False)

    def among(self, allowed: Allowed | None, num_items: int) -> Allowed | None:
        """Return those of the allowed items, None for all, that are not left out."""
        if not len(self.rows):
            return allowed
        mask = np.ones(num_items, np.bool_) if allowed is None else allowed.mask.copy()
        mask[self.rows] = False
        return Allowed(mask)


def sought(words: "WordIndex", text: str) -> Sought:
    """Return what is searched for a normalised query.

    An item is left out if its text has what is not wanted, or its pictures tell it surely. One
    whose text has beside it a word that denies ("non stick", "sugar free") stays, and where there
    are such items the whole query is searched, for then texts speak of it. A word denies that is
    in a tenth of the texts with what is not wanted, three at least, or in half of few, and three
    times as frequent there as anywhere: "free shipping" does not. Where the shop writes "nonstick",
    that is searched, and items with it stay.

    A query is searched as it is in a language that is none of `DENIALS`, where neither texts nor
    clicks have a word that is not wanted, where that word denies itself, where everything would be
    left out, and where it is a title ("Women Peace Not War T-shirt"): one text has all of its six
    words or more.
    """
    negation = negation_of(text, words.stemmer, lambda word: bool(words.numbers(word)))
    if negation is None or _is_title(words, text):
        return Sought(text)
    denials = DENIALS[words.stemmer]
    unwanted, is_told, without = np.empty(0, np.int64), False, list[Without]()
    for each in negation.unwanted:
        is_known = bool(each.joined) or all(map(words.numbers, each.phrase))
        if not is_known or not set(denials.all_denying).isdisjoint(each.phrase):
            return Sought(text)
        rows = reduce(np.intersect1d, [_having(words, word) for word in each.phrase])
        denying = _denying(words, each.phrase, denials)
        is_told = is_told or bool(denying)
        staying = [*denying, each.joined] if each.joined else denying
        stay = [_having(words, word) for word in staying]
        unwanted = np.union1d(unwanted, np.setdiff1d(rows, reduce(np.union1d, stay, rows[:0])))
        numbers = tuple(tuple(words.numbers(word)) for word in each.phrase)
        unless = tuple(number for word in staying for number in words.numbers(word))
        without.append(Without(numbers, unless))
    if len(unwanted) == len(words):
        return Sought(text)
    left_out = tuple(" ".join(each.phrase) for each in negation.unwanted)
    return Sought(text if is_told else negation.wanted, left_out, unwanted, tuple(without))


def as_written(left_out: Sequence[str], typed: str, read: str) -> tuple[str, ...]:
    """Return what is left out in the words of a query as it was typed.

    Args:
        left_out: In the words of the query as it was read.
        typed: The normalised query.
        read: The same with other endings.
    """
    parts, wholes = typed.split(), read.split()
    written = dict(zip(wholes, parts, strict=True)) if len(wholes) == len(parts) else {}
    return tuple(" ".join(written.get(word, word) for word in one.split()) for one in left_out)


def search_sought(
    index: "HybridIndex", queries: Sequence[Sought], encoded: QueryEmbeddings, k: int
) -> Found:
    """Return what `HybridIndex.search` finds for queries, each without what it leaves out.

    Args:
        index: The index.
        queries: The queries, [Q].
        encoded: Their texts as the model sees them.
        k: Results per query.
    """
    scores, rows = index.search([query.text for query in queries], encoded, k)
    for place, query in enumerate(queries):
        if len(query.rows):
            allowed = query.among(None, len(index.item_ids))
            own = QueryEmbeddings(encoded.vector[[place]], encoded.gate[[place]])
            found = index.search([query.text], own, k, allowed)
            scores[place], rows[place] = found[0][0], found[1][0]
    return scores, rows


def held(words: "WordIndex") -> "csr_matrix":
    """Return which words each item has in its text, or surely in its pictures: 1 or 0, [N, V]."""
    from scipy.sparse import csr_matrix

    size = words.num_words
    rows = words.postings.rows[: words.postings.starts[size]]
    columns = np.repeat(np.arange(size), np.diff(words.postings.starts[: size + 1]))
    surely = {number: _surely_shown(words, number) for number in words.shown}
    rows = np.concatenate([rows, *surely.values()])
    more = [np.full(len(of_word), number) for number, of_word in surely.items()]
    columns = np.concatenate([columns, *more])
    found = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), (len(words), size))
    found.data[:] = 1  # of an item that has a word in both
    return found.sorted_indices()


def _is_title(words: "WordIndex", text: str) -> bool:
    """Return whether the text of an item has every word of a query of some length."""
    units = words.units(text)
    if len(units) < _OF_TITLE:
        return False
    number = words.vocabulary
    numbers = [[number[form] for form in forms if form in number] for _, forms in units]
    return len(reduce(np.intersect1d, [_in_texts(words, each) for each in numbers])) > 0


def _denying(words: "WordIndex", phrase: Sequence[str], denials: Denials) -> list[str]:
    """Return the words by which items' texts say that they are without a phrase that they have."""
    rows = reduce(np.intersect1d, [_in_texts(words, words.numbers(word)) for word in phrase])
    denying = []
    for word in denials.all_denying:
        others = _in_texts(words, words.numbers(word))
        both = np.intersect1d(rows, others)
        is_often = len(both) * len(words) >= _OFTEN * len(rows) * len(others)
        is_of_some = len(both) >= max(_FEWEST, _LEAST * len(rows))
        if is_often and (is_of_some or len(both) >= max(1, _MOST * len(rows))):
            denying.append(word)
    return denying


def _having(words: "WordIndex", word: str) -> NDArray[np.int64]:
    """Return the rows of the items that have a word in their text or pictures."""
    shown = [number for number in words.numbers(word) if number in words.shown]
    surely = [_surely_shown(words, number).astype(np.int64) for number in shown]
    return np.unique(np.concatenate([_in_texts(words, words.numbers(word)), *surely]))


def _in_texts(words: "WordIndex", numbers: Sequence[int]) -> NDArray[np.int64]:
    """Return the rows of the items whose text has one of some words, by their numbers.

    A word that clicks alone tell has a number, and no text.
    """
    found = [words.postings.of(number)[0] for number in numbers]
    return np.unique(np.concatenate([np.empty(0, np.int32), *found])).astype(np.int64)


def _surely_shown(words: "WordIndex", number: int) -> NDArray[np.int32]:
    """Return the rows of the items whose pictures surely tell a word."""
    rows, weights = words.postings.of(words.shown[number])
    return rows[weights >= _SURE * weights.max(initial=0)]
