"""The words of the items: BM25, as a share of what a query could reach.

Shapes: N items.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smar.index.compiled_words import CompiledWords
from smar.index.item_words import ItemWords, bm25
from smar.index.postings import Postings, Shares
from smar.index.told_words import ClickWord, beside
from smar.index.word_forms import WordForms, code_of

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

    from smar.index.picture_words import PictureWord

_ROUNDING = 1e-6  # of a share in float32
LEAST = float(np.finfo(np.float32).tiny)
"""Below every share of an item that has a word of the query."""

_NOTHING = np.empty(0, np.int32), np.empty(0, np.float32)  # items of a word of no text
_REMEMBERED = 4096  # queries: one is asked for several times in a search, and often again


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query as the index sees it.

    Args:
        units: Its words with their other forms, each after how it is written.
        words: Those that a text or a click has.
        numbers: Of each of these, and of what pictures and clicks tell of them.
        reachable: The idf of all its words together.
    """

    units: list[tuple[str, list[str]]]
    words: list[str]
    numbers: tuple[int, ...]
    reachable: float


class WordIndex:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over one text per item, and the item's codes.

    Items and queries have their words in the same form (`word_forms`). Where a word of a query has
    several forms ("iphone8" may be "iphone 8"), those that any text has are looked for.

    A word that no text has counts as the rarest there can be. So a query's share of a text,
    `BM25(q, i) / sum of idf(w) over the words w of q`, lies in [0, 1) and says how much of the
    query is found there: a misspelled word lowers it for all items, where BM25 alone would rank by
    whatever else the query says.

    Args:
        postings: The items of each word, by its number.
        vocabulary: Number of each word.
        stemmer: As for `WordForms`.
        shown: By the number of a word that pictures tell too, the number of what they tell, after
            the numbers of all words. How rare a word is, texts alone say.
        clicked: By the number of a word that clicks tell, the number of what they tell, after
            those. Words that pictures or clicks alone tell are the last words, of no text.
    """

    def __init__(
        self,
        postings: Postings,
        vocabulary: dict[str, int],
        stemmer: str,
        shown: dict[int, int] | None = None,
        clicked: dict[int, int] | None = None,
    ) -> None:
        self.postings, self.vocabulary = postings, vocabulary
        self.shown, self.clicked = shown or {}, clicked or {}
        self.num_words = len(postings) - len(self.shown) - len(self.clicked)
        self._forms = WordForms(stemmer)
        found_in = np.diff(postings.starts[: self.num_words + 1])  # texts by word
        self._of_texts = int(np.count_nonzero(found_in))
        self._idf = _idf(found_in, len(self))
        self._unknown = float(_idf(np.zeros(1, np.int64), len(self))[0])
        self._asked = lru_cache(_REMEMBERED)(self._read)
        self._compiled: CompiledWords | None = None

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        codes: Sequence[Sequence[str]] | None = None,
        stemmer: str = "english",
    ) -> "WordIndex":
        """Return the index of item texts.

        Args:
            texts: One per item.
            codes: Ids, GTINs and the like of each item, that a query finds it by.
            stemmer: As for `WordForms`.
        """
        return cls.of(ItemWords.read(texts, codes, WordForms(stemmer)), stemmer)

    @classmethod
    def of(cls, words: ItemWords, stemmer: str) -> "WordIndex":
        """Return the index of the words of items, which `stemmer` gave their form."""
        number = dict(zip(words.vocabulary, range(len(words.vocabulary)), strict=True))
        return cls(bm25(words), number, stemmer)

    def with_pictured(self, told: Sequence["PictureWord"]) -> "WordIndex":
        """Return the index of these texts in which items have words of their pictures too."""
        texts = self.of_texts()
        vocabulary = texts._with_new([each.word for each in told])
        nothing = [_NOTHING] * (len(vocabulary) - len(texts.vocabulary))
        num_words = texts.num_words + len(nothing)
        shown = {vocabulary[each.word]: num_words + place for place, each in enumerate(told)}
        postings = texts.postings.with_words(
            [*nothing, *((each.rows, each.weights) for each in told)]
        )
        return WordIndex(postings, vocabulary, self.stemmer, shown)

    def with_clicked(self, told: Sequence[ClickWord], weight: float = 1.0) -> "WordIndex":
        """Return the index in which items have words of their clicks too.

        What pictures tell counts beside it, up to `most` together.

        Args:
            told: As `words_of_clicks` gives them.
            weight: Of a word that all queries of an item have, beside one of its text; 0: none.
        """
        if not weight or not told:
            return self
        told = [replace(each, weights=np.float32(weight) * each.weights) for each in told]
        texts = self.of_texts()
        vocabulary = self._with_new([each.word for each in told])
        nothing = [_NOTHING] * (len(vocabulary) - len(texts.vocabulary))
        num_words = texts.num_words + len(nothing)
        by_number = {vocabulary[each.word]: each for each in told}
        pictured = [
            beside(*self.postings.of(column), by_number.get(number))
            for number, column in self.shown.items()
        ]
        more = [*nothing, *pictured, *((each.rows, each.weights) for each in told)]
        shown = {number: num_words + place for place, number in enumerate(self.shown)}
        first = num_words + len(shown)
        clicked = {number: first + place for place, number in enumerate(by_number)}
        postings = texts.postings.with_words(more)
        return WordIndex(postings, vocabulary, self.stemmer, shown, clicked)

    def _with_new(self, names: Sequence[str]) -> dict[str, int]:
        """Return the vocabulary with words that it lacks after those of the index."""
        new = [name for name in names if name not in self.vocabulary]
        return self.vocabulary | {n: self.num_words + place for place, n in enumerate(new)}

    def of_texts(self) -> "WordIndex":
        """Return the index of the texts alone."""
        if not self.shown and not self.clicked:
            return self
        size = self._of_texts
        vocabulary = {word: n for word, n in self.vocabulary.items() if n < size}
        return WordIndex(self.postings.first(size), vocabulary, self.stemmer)

    def hasten(self) -> None:
        """Search by compiled code from now on, for the same results: see `compiled_words`."""
        if self._compiled is None:
            self._compiled = CompiledWords(self.postings)

    def __len__(self) -> int:
        return self.postings.num_items

    @property
    def stemmer(self) -> str:
        """What `WordForms` stems with, here and for whoever reads the words elsewhere."""
        return self._forms.stemmer

    def idf(self) -> tuple[NDArray[np.float64], float]:
        """Return the idf of every word, [V], and that of a word that no text has."""
        return self._idf, self._unknown

    def item_weights(self) -> "csc_matrix":
        """Return what each word counts in each item, [N, V]; times `query_weights`: `shares`."""
        from scipy.sparse import csc_matrix

        parts = self.postings.weights, self.postings.rows, self.postings.starts
        counts = csc_matrix(parts, shape=(len(self), len(self.postings)))
        if not self.shown and not self.clicked:
            return counts
        words = [*range(self.num_words), *self.shown, *self.clicked]
        to_words = csc_matrix(
            (np.ones(len(words), np.float32), (np.arange(len(words)), words)),
            shape=(len(words), self.num_words),
        )
        return csc_matrix(counts @ to_words)

    def query_weights(self, query: str) -> dict[str, float]:
        """Return a query as weights of words: how often it has each, by what it could reach."""
        asked = self._asked(query)
        return {word: asked.words.count(word) / asked.reachable for word in asked.words}

    def shares(self, query: str) -> NDArray[np.float32]:
        """Return how much of a query each text holds, in [0, 1), [N]; 0 without a common word."""
        asked = self._asked(query)
        return _share(self.postings.sums(asked.numbers), asked.reachable)

    def shares_of(self, query: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what `shares` says of the texts of some rows."""
        asked = self._asked(query)
        if self._compiled is not None:
            return self._compiled.shares_of(asked.numbers, asked.reachable or 1.0, rows)
        return _share(self.postings.sums_of(asked.numbers, rows), asked.reachable)

    def best(self, query: str, k: int, allowed: NDArray[np.bool_] | None = None) -> Shares:
        """Return the rows of the k largest shares above 0 and these, best first, ties by row.

        Args:
            query: The query.
            k: How many at most.
            allowed: The rows that may be found, [N]; None for all.
        """
        asked = self._asked(query)
        if self._compiled is not None:
            return self._compiled.best(asked.numbers, asked.reachable or 1.0, k, allowed)
        rows, sums = self.postings.best(asked.numbers, k, allowed=allowed)
        shares = _share(sums, asked.reachable)
        order = np.lexsort((rows, -shares))[:k]
        return rows[order], shares[order]

    def reaching(
        self, query: str, least: float, allowed: NDArray[np.bool_] | None = None
    ) -> Shares:
        """Return the rows whose share is at least `least`, > 0, and these; arguments as `best`."""
        asked = self._asked(query)
        near = least * asked.reachable * (1 - _ROUNDING)
        if self._compiled is not None:
            reachable = asked.reachable or 1.0
            rows, shares = self._compiled.reaching(asked.numbers, reachable, near, allowed)
        else:
            rows, sums = self.postings.best(asked.numbers, least=near, allowed=allowed)
            shares = _share(sums, asked.reachable)
        return rows[shares >= least], shares[shares >= least]

    def _read(self, query: str) -> _Asked:
        """Return a query as the index sees it."""
        units = self._units(query)
        known = [[word for word in unit if word in self.vocabulary] for _, unit in units]
        words = [word for unit in known for word in unit]
        numbers = [self.vocabulary[word] for word in words]
        reachable = self._unknown * sum(not unit for unit in known) + sum(
            float(self._idf[number]) for number in numbers
        )
        told = [
            of[number] for of in (self.shown, self.clicked) for number in numbers if number in of
        ]
        return _Asked(units, words, (*numbers, *told), reachable)

    def numbers(self, query: str) -> list[int]:
        """Return the numbers of the words of a query that a text has."""
        number = self.vocabulary
        return [number[word] for _, unit in self._units(query) for word in unit if word in number]

    def known(self, query: str) -> tuple[float, int]:
        """Return the share of a query's idf that no text has, in [0, 1], and its known words.

        A query without a word is unknown: (1.0, 0).
        """
        vocabulary = self.vocabulary
        rarest = [
            max(
                (float(self._idf[vocabulary[word]]) for word in unit if word in vocabulary),
                default=0,
            )
            for _, unit in self._asked(query).units
        ]
        known = [idf for idf in rarest if idf]
        missing = self._unknown * (len(rarest) - len(known))
        return (missing / (missing + sum(known)) if known else 1.0), len(known)

    def forms(self, query: str) -> list[tuple[str, list[int]]]:
        """Return each word of a query in its first form, and the numbers of those texts have."""
        number = self.vocabulary
        return [
            (unit[0], [number[word] for word in unit if word in number])
            for _, unit in self._asked(query).units
        ]

    def numbers_in(self, queries: Iterable[str]) -> list[int]:
        """Return the numbers of all words that are in some of many queries, in any form."""
        found = {
            word
            for query in queries
            for words in ([code_of(query)], *(unit for _, unit in self._forms.written(query)))
            for word in words
        }
        return [self.vocabulary[word] for word in found & self.vocabulary.keys() - {""}]

    def units(self, query: str) -> list[tuple[str, list[str]]]:
        """Return the words of a query as it writes them, each with the forms it is looked up by."""
        return self._asked(query).units

    def matched(self, query: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a query that the text of each row has, as the query writes them."""
        return self._matched(query, rows, self.vocabulary)

    def pictured(self, query: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a query that each row's pictures tell and its text leaves out."""
        return self._told(query, rows, self.shown)

    def searched(self, query: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a query that each row's clicks tell and its text leaves out."""
        return self._told(query, rows, self.clicked)

    def _told(self, query: str, rows: NDArray[np.int64], of: dict[int, int]) -> list[list[str]]:
        words = zip(self._asked(query).words, self.numbers(query), strict=True)
        told = {word: of[number] for word, number in words if number in of}
        return self._matched(query, rows, told)

    def _matched(
        self, query: str, rows: NDArray[np.int64], number_of: dict[str, int]
    ) -> list[list[str]]:
        matched: list[list[str]] = [[] for _ in rows]
        for written, unit in self.units(query):
            numbers = [number_of[word] for word in unit if word in number_of]
            found = self.postings.sums_of(numbers, rows) > 0
            for place in np.flatnonzero(found):
                matched[place].append(written)
        return matched

    def _units(self, query: str) -> list[tuple[str, list[str]]]:
        """Return the words of a query with their other forms, each after how it is written."""
        units = self._forms.written(query)
        code = code_of(query)
        if code and code in self.vocabulary and not any(code in unit for _, unit in units):
            units.append((query, [code]))
        return units


def _share(sums: NDArray[np.float64], reachable: float) -> NDArray[np.float32]:
    """Return sums as parts of what could be reached; where nothing could, all are 0."""
    return (sums / (reachable or 1.0)).astype(np.float32)


def _idf(found_in: NDArray[np.int64], num_items: int) -> NDArray[np.float64]:
    """Return Lucene's idf, `ln(1 + (N - n + 1/2) / (n + 1/2))`, of words found in n of N texts."""
    return np.log(1 + (num_items - found_in + 0.5) / (found_in + 0.5))
