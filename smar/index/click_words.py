"""Words that searches used of an item and its text leaves out.

Shoppers find a "teal dress" whose text says dress, and what they clicked says that it is teal. The
words of the queries that led to an item describe it as its text does (Xue et al., "Optimizing web
search using web click-through data", 2004). Clicks stray: what of them is worth a word differs from
log to log, so that `choice.choose_click_words` weighs them by queries that no training has seen.

Shapes: N items, V words of texts and clicks together, P pairs of an item and a word.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from smar.data.membership import places_of
from smar.index.told_words import ClickWord
from smar.index.word_forms import WordForms, code_of, runs_of
from smar.index.words import WordIndex

if TYPE_CHECKING:
    import pandas as pd

_LEAST_QUERIES = 5  # that have a word of no text, for items to have it


class QueryForms:
    """The words of queries in any of their forms, and what a query is called as a code.

    Args:
        stemmer: As for `WordForms`.
    """

    def __init__(self, stemmer: str) -> None:
        self._forms = WordForms(stemmer)

    def of_text(self, text: str) -> list[str]:
        """Return the words of a query, as `WordIndex.numbers` looks for them."""
        words = [word for unit in self._forms.of_query(text) for word in unit]
        code = code_of(text)
        return [*words, code] if code and code not in words else words


@dataclass(frozen=True)
class Clicks:
    """What items were found by, in the training split alone.

    Args:
        rows: Rows of items that searches led to, one for each click.
        queries: The query of each click.
    """

    rows: Sequence[int]
    queries: Sequence[str]

    @classmethod
    def of(
        cls, items: "pd.DataFrame", queries: "pd.DataFrame", engagements: "pd.DataFrame"
    ) -> Self:
        """Return the clicks of accepted tables, without those of items that are gone."""
        trained = queries.loc[queries["split"] == "train", ["query_id", "query"]]
        of_query = _places(engagements["query_id"], trained["query_id"])
        rows = _places(engagements["item_id"], items["item_id"])
        is_one = (of_query >= 0) & (rows >= 0)
        texts = trained["query"].to_numpy(object)
        return cls(rows[is_one].tolist(), texts[of_query[is_one]].tolist())


def _places(ids: "pd.Series", among: "pd.Series") -> NDArray[np.int64]:
    return places_of(pa.array(ids, pa.string()), pa.array(among, pa.string()))


def words_of_clicks(words: WordIndex, clicks: Clicks) -> list[ClickWord]:
    """Return the words that items have by their clicks and not by their texts.

    Of n different queries that led to an item, n_w with the word w, which a share p_w of all
    queries has, the item has it for

        sqrt(max(0, n_w / n - p_w)) * what w counts in a text on average

    so that a word of most queries tells little. A word that no text has counts as the rarest one
    does on average; it takes five queries.

    Args:
        words: The words of the items' texts.
        clicks: What items were found by.
    """
    if not len(clicks.rows):
        return []
    texts = list(dict.fromkeys(clicks.queries))
    place = {text: number for number, text in enumerate(texts)}
    columns = [place[text] for text in clicks.queries]
    shape = len(words), len(texts)
    led = coo_matrix((np.ones(len(columns), np.float32), (clicks.rows, columns)), shape).tocsr()
    led.data[:] = 1  # a query that is asked again says nothing new
    asked, new = _words_in(words, texts)
    named = (led @ asked).tocsc()  # [N, V]
    named.sort_indices()
    named = named.tocoo()
    is_new = named.col >= words.num_words
    is_told = ~_in_texts(words, named.row, named.col)
    queries_with = np.asarray(asked.sum(0)).ravel()
    is_told &= ~is_new | (queries_with[named.col] >= _LEAST_QUERIES)
    above = named.data / np.diff(led.indptr)[named.row] - queries_with[named.col] / len(texts)
    is_told &= above > 0
    row, column, typical = named.row[is_told], named.col[is_told], _typical(words, len(new))
    counts = (np.sqrt(above[is_told]) * typical[column]).astype(np.float32)
    by_word = coo_matrix((counts, (row, column)), shape=(len(words), asked.shape[1])).tocsc()
    by_word.sort_indices()
    names = [*_names(words), *new]
    return [
        ClickWord(
            names[number],
            by_word.indices[of].astype(np.int32),
            by_word.data[of],
            float(typical[number]),
        )
        for number, (start, end) in enumerate(
            zip(by_word.indptr[:-1], by_word.indptr[1:], strict=True)
        )
        if end > start
        for of in (slice(start, end),)
    ]


def _words_in(words: WordIndex, texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    """Return which words queries have, 1 or 0, [queries, V], and those of no text, from V on."""
    forms, vocabulary = WordForms(words.stemmer), words.vocabulary
    new: dict[str, int] = {}
    of_run: dict[str, frozenset[int]] = {}  # queries share these
    columns, sizes = array("q"), array("q", [0])
    for text in texts:
        numbers: set[int] = set()
        for run in runs_of(text):
            of_one = of_run.get(run)
            if of_one is None:
                of_one = of_run[run] = frozenset(_numbers_of(forms.of_query_run(run), words, new))
            numbers |= of_one
        code = code_of(text)
        if code in vocabulary:
            numbers.add(vocabulary[code])
        columns.extend(numbers)
        sizes.append(len(numbers))
    shape = len(texts), words.num_words + len(new)
    parts = np.ones(len(columns), np.float32), np.array(columns), np.cumsum(np.array(sizes))
    return csr_matrix(parts, shape), list(new)


def _numbers_of(
    units: Sequence[Sequence[str]], words: WordIndex, new: dict[str, int]
) -> Iterator[int]:
    """Yield the numbers of words in all forms that a text has, of others in the first, as `new`."""
    for unit in units:
        known = [words.vocabulary[word] for word in unit if word in words.vocabulary]
        yield from known or [new.setdefault(unit[0], words.num_words + len(new))]


def _in_texts(
    words: WordIndex, rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return whether the text of each of some rows has the word of a number, [P].

    Args:
        words: The words of the items' texts.
        rows: The items of each word, ascending.
        columns: The words, ascending.
    """
    own = words.of_texts().postings
    size = len(words)
    held = np.repeat(np.arange(len(own), dtype=np.int64) * size, np.diff(own.starts)) + own.rows
    asked = columns.astype(np.int64) * size + rows
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


def _names(words: WordIndex) -> list[str]:
    """Return the words by number."""
    return sorted(words.vocabulary, key=words.vocabulary.__getitem__)
