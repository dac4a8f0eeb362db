"""Words that searches used of an item and its text leaves out.

Shoppers find a "teal dress" whose text says dress, and what they clicked says that it is teal. The
words of the queries that led to an item describe it as its text does (Xue et al., "Optimizing web
search using web click-through data", 2004). Clicks stray: what of them is worth a word differs from
log to log, so that `choice.choose_click_words` weighs them by queries that no training has seen.

Shapes: N items, V words of texts and clicks together, P pairs of an item and a word.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from smar.data.membership import in_one_piece, places_of
from smar.index.item_words import ItemWords
from smar.index.told_words import ClickWord
from smar.index.word_forms import WordForms, code_of, runs_of
from smar.index.words import WordIndex

if TYPE_CHECKING:
    import pandas as pd

_LEAST_QUERIES = 5  # that have a word of no text, for items to have it
_BETWEEN = "\n"  # the forms of a word; what begins with it is a code
_REMEMBERED = 50_000  # runs of characters, of which queries have the same


class QueryForms:
    """The words of queries, each with its other forms, and what a query is called as a code.

    Args:
        stemmer: As for `WordForms`.
    """

    def __init__(self, stemmer: str) -> None:
        self._forms = WordForms(stemmer)
        self._of_run = lru_cache(_REMEMBERED)(self._read)

    def of_text(self, text: str) -> list[str]:
        """Return the words of a query, all forms of each in one text, first the one it has."""
        words = [word for run in runs_of(text) for word in self._of_run(run)]
        code = code_of(text)
        is_other = code and not any(code in word.split(_BETWEEN) for word in words)
        return [*words, _BETWEEN + code] if is_other else words

    def _read(self, run: str) -> list[str]:
        return [_BETWEEN.join(unit) for unit in self._forms.of_query_run(run)]


@dataclass(frozen=True, eq=False)
class Clicks:
    """What items were found by, in the training split alone.

    Args:
        rows: Rows of items that searches led to, one for each click.
        numbers: Which of the queries each click is of.
        asked: Where each of these is among `texts`, in the order of their first clicks, [Q].
        texts: Queries.
    """

    rows: NDArray[np.int32]
    numbers: NDArray[np.int32]
    asked: NDArray[np.int32]
    texts: pa.Array

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def queries(self) -> pa.Array:
        """The queries, each once, [Q]."""
        return self.texts.take(pa.array(self.asked))

    @classmethod
    def of(
        cls,
        items: "pd.DataFrame | pa.Table",
        queries: "pd.DataFrame | pa.Table",
        engagements: "pd.DataFrame | pa.Table",
    ) -> Self:
        """Return the clicks of accepted tables, without those of items that are gone."""
        split = _texts(queries, "split")
        trained = np.flatnonzero(pc.equal(split, "train").to_numpy(zero_copy_only=False))
        ids = _texts(queries, "query_id").take(pa.array(trained))
        places = places_of(_texts(engagements, "query_id"), ids)
        rows = places_of(_texts(engagements, "item_id"), _texts(items, "item_id"))
        is_one = (places >= 0) & (rows >= 0)
        texts = _texts(queries, "query")
        of_query = places_of(texts, texts)[trained[places[is_one]]]  # one may have several places
        asked, first, numbers = np.unique(of_query, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty(len(asked), np.int32)
        place[order] = np.arange(len(asked))
        clicked = rows[is_one].astype(np.int32)
        return cls(clicked, place[numbers], asked[order].astype(np.int32), texts)


def _texts(table: "pd.DataFrame | pa.Table", name: str) -> pa.Array:
    column = table[name]
    if isinstance(column, pa.ChunkedArray):
        return in_one_piece(column)
    return pa.array(column, pa.string())


@dataclass(frozen=True, eq=False)
class ClickedQueries:
    """The words of the queries that items were found by.

    Args:
        clicks: What they were found by.
        stemmer: As for `WordForms`.
        words: Those of each query as `QueryForms` has them, [Q].
    """

    clicks: Clicks
    stemmer: str
    words: ItemWords

    @classmethod
    def of(cls, clicks: Clicks, stemmer: str, earlier: ItemWords | None = None) -> Self:
        """Return the words of clicks; those of `earlier` queries are not read again."""
        texts = clicks.queries.to_pylist()
        return cls(clicks, stemmer, ItemWords.read(texts, None, QueryForms(stemmer), earlier))

    @cached_property
    def forms(self) -> list[list[str]]:
        """The forms of each word, the one it has first; none of the empty one, [U]."""
        return [[form for form in w.split(_BETWEEN) if form] for w in self.words.vocabulary]

    @cached_property
    def firsts(self) -> list[str]:
        """The form that each word has in queries; "" of what is a code alone, [U]."""
        words = zip(self.words.vocabulary, self.forms, strict=True)
        return ["" if w.startswith(_BETWEEN) or not forms else forms[0] for w, forms in words]

    @cached_property
    def by_query(self) -> csr_matrix:
        """How often each query has each word, [Q, U]."""
        words = self.words
        parts = words.counts.astype(np.float32), words.numbers, words.starts
        return csr_matrix(parts, shape=(len(words), len(words.vocabulary)))

    def led(self, num_items: int) -> csr_matrix:
        """Return how often each query led to each item, [N, Q]."""
        ones = np.ones(len(self.clicks), np.float32)
        shape = num_items, len(self.words)
        return coo_matrix((ones, (self.clicks.rows, self.clicks.numbers)), shape).tocsr()

    def known(self, words: WordIndex) -> dict[str, int]:
        """Return those of all forms that a text has with their numbers, ascending."""
        number = words.vocabulary
        found = {form: number[form] for forms in self.forms for form in forms if form in number}
        return dict(sorted(found.items(), key=lambda each: each[1]))

    def counted(self, known: Sequence[str], num_items: int) -> csr_matrix:
        """Return how often each item was found by a query with each of some words, [N, W]."""
        of_queries = self.by_query.astype(np.float64) @ self.as_words(known)
        return self.led(num_items) @ of_queries

    def as_words(self, known: Sequence[str]) -> csr_matrix:
        """Return which of some words are forms of each word of the queries, [U, W]."""
        place = {word: number for number, word in enumerate(known)}
        return _by_row(
            [[place[f] for f in forms if f in place] for forms in self.forms], len(known)
        )

    def found_in(self) -> Counter[str]:
        """Return how many queries have each word in any of its forms."""
        every = sorted({form for forms in self.forms for form in forms})
        of_queries = self.by_query @ self.as_words(every)
        queries = np.bincount(of_queries.indices, minlength=len(every)).tolist()
        return Counter(dict(zip(every, queries, strict=True)))

    def others(self, known: Mapping[str, int]) -> list[str]:
        """Return the first forms of words that none is known of, as queries have them in order."""
        new = {
            word: first
            for word, first, forms in zip(
                self.words.vocabulary, self.firsts, self.forms, strict=True
            )
            if first and not any(form in known for form in forms)
        }
        is_new = np.array([word in new for word in self.words.vocabulary], np.bool_)
        which = is_new[self.words.numbers]
        owner = np.repeat(np.arange(len(self.words)), np.diff(self.words.starts))[which]
        first = np.unique(self.words.numbers[which], return_index=True)[1]
        texts = self.clicks.queries.take(pa.array(np.unique(owner[first]))).to_pylist()
        read = QueryForms(self.stemmer)
        met = (new[word] for text in texts for word in read.of_text(text) if word in new)
        return [*dict.fromkeys(met)]


def _by_row(columns: Sequence[Sequence[int]], width: int) -> csr_matrix:
    """Return a matrix with ones in the columns of each row."""
    starts = np.cumsum([0, *map(len, columns)])
    numbers = np.array([number for each in columns for number in each], np.int64)
    return csr_matrix((np.ones(len(numbers), np.float32), numbers, starts), (len(columns), width))


def words_of_clicks(words: WordIndex, searched: ClickedQueries) -> list[ClickWord]:
    """Return the words that items have by their clicks and not by their texts.

    Of n different queries that led to an item, n_w with the word w, which a share p_w of all
    queries has, the item has it for

        sqrt(max(0, n_w / n - p_w)) * what w counts in a text on average

    so that a word of most queries tells little. A word that no text has counts as the rarest one
    does on average; it takes five queries.

    Args:
        words: The words of the items' texts.
        searched: What items were found by.
    """
    if not len(searched.clicks):
        return []
    known = searched.known(words)
    new = searched.others(known)
    names = [*known, *new]
    number = np.array([*known.values(), *range(words.num_words, words.num_words + len(new))])
    led = searched.led(len(words))
    led.data[:] = 1  # a query that is asked again says nothing new
    asked = searched.by_query @ _in_forms(searched, known, new)
    asked.data[:] = 1
    named = (led @ asked).tocsc()  # [N, W]
    named.sort_indices()
    named = named.tocoo()
    is_new = named.col >= len(known)
    is_told = ~_in_texts(words, named.row, number[named.col])
    queries_with = np.asarray(asked.sum(0)).ravel()
    is_told &= ~is_new | (queries_with[named.col] >= _LEAST_QUERIES)
    above = named.data / np.diff(led.indptr)[named.row] - queries_with[named.col] / asked.shape[0]
    is_told &= above > 0
    row, column = named.row[is_told], named.col[is_told]
    typical = _typical(words, len(new))[number]
    counts = (np.sqrt(above[is_told]) * typical[column]).astype(np.float32)
    by_word = coo_matrix((counts, (row, column)), shape=(len(words), len(names))).tocsc()
    by_word.sort_indices()
    return [
        ClickWord(
            names[place],
            by_word.indices[of].astype(np.int32),
            by_word.data[of],
            float(typical[place]),
        )
        for place in np.flatnonzero(np.diff(by_word.indptr)).tolist()
        for of in (slice(*by_word.indptr[place : place + 2]),)
    ]


def _in_forms(searched: ClickedQueries, known: Mapping[str, int], new: Sequence[str]) -> csr_matrix:
    """Return which words each word of queries is: all that texts have, else its first form."""
    place = {word: number for number, word in enumerate([*known, *new])}
    columns = []
    for forms, first in zip(searched.forms, searched.firsts, strict=True):
        found = [place[form] for form in forms if form in known]
        columns.append(found or [place[form] for form in (first,) if form])
    return _by_row(columns, len(place))


def _in_texts(
    words: WordIndex, rows: NDArray[np.int32], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether the text of each of some rows has the word of a number, [P].

    Args:
        words: The words of the items' texts.
        rows: The items of each word, ascending.
        columns: The words, ascending.
    """
    own = words.of_texts().postings
    size, each = len(words), np.unique(columns)
    parts = [own.of(n)[0].astype(np.int64) + n * size for n in each[each < len(own)].tolist()]
    held = np.concatenate([np.empty(0, np.int64), *parts])
    asked = columns * size + rows
    place = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    return held[place] == asked if len(held) else np.zeros(len(asked), np.bool_)


def _typical(words: WordIndex, num_new: int) -> NDArray[np.float64]:
    """Return what each word counts on average in the texts that have it, [V]."""
    own = words.of_texts().postings
    idf, unknown = words.idf()
    sizes = np.diff(own.starts)
    word = np.repeat(np.arange(len(own)), sizes)
    sums = np.bincount(word, own.weights, len(own))
    by_idf = float((own.weights / idf[word]).mean()) if len(word) else 0.0
    known = np.where(sizes > 0, sums / np.maximum(sizes, 1), unknown * by_idf)
    return np.concatenate([known, np.full(num_new, unknown * by_idf)])
