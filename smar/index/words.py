"""The words of the items: BM25, as a share of what a query could reach.

Shapes: N items.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bm25s
import numpy as np
from numpy.typing import NDArray

from smar.artifacts import write_json
from smar.errors import ArtifactError
from smar.index.word_forms import WordForms, code_of

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

_FORMS = "forms.json"
_BLOCK = 64  # items
LEAST = float(np.finfo(np.float32).tiny)
"""Below every share of an item that has a word of the query."""
_EARLIER = {"stemmer": "english"}  # of an index made before the form of its words was written down

logging.getLogger("bm25s").setLevel(logging.WARNING)  # at import it asks for every detail


class WordIndex:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over one text per item, and the item's codes.

    Items and queries have their words in the same form (`word_forms`). Where a word of a query has
    several forms ("iphone8" may be "iphone 8"), those that any text has are looked for.

    A word that no text has counts as the rarest there can be. So a query's share of a text,
    `BM25(q, i) / sum of idf(w) over the words w of q`, lies in [0, 1) and says how much of the
    query is found there: a misspelled word lowers it for all items, where BM25 alone would rank by
    whatever else the query says.

    Args:
        bm25: The `bm25s` index.
        num_items: N.
        stemmer: As for `WordForms`.
    """

    def __init__(self, bm25: bm25s.BM25, num_items: int, stemmer: str) -> None:
        self._bm25, self._num_items, self._forms = bm25, num_items, WordForms(stemmer)
        found_in = np.diff(bm25.scores["indptr"])  # texts by word
        self._idf = _idf(found_in, num_items)
        self._unknown = float(_idf(np.zeros(1, np.int64), num_items)[0])

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
        forms = WordForms(stemmer)
        words = [forms.of_text(text) for text in texts]
        for of_text, of_item in zip(words, codes or [], strict=codes is not None):
            of_text.extend(sorted({code_of(code) for code in of_item} - {"", *of_text}))
        # A text without words gets the empty one, which no query has.
        words = [of_text or [""] for of_text in words]
        # Numbered in a fixed order: the same texts give the same files.
        number = {word: place for place, word in enumerate(sorted({w for ws in words for w in ws}))}
        bm25 = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        ids = [[number[word] for word in of_text] for of_text in words]
        bm25.index((ids, number), show_progress=False)
        return cls(bm25, len(texts), stemmer)

    @classmethod
    def load(cls, folder: Path, num_items: int) -> "WordIndex":
        """Return what `write` wrote.

        Args:
            folder: Where it lies.
            num_items: N, as the index that it belongs to says.

        Raises:
            ArtifactError: If a file is missing, cannot be read or is about other items.
        """
        try:
            bm25 = bm25s.BM25.load(folder, show_progress=False)
            forms = folder / _FORMS
            settings = json.loads(forms.read_text(encoding="utf-8")) if forms.exists() else _EARLIER
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(f"{folder}: the word index cannot be read ({error}).") from error
        if bm25.scores["num_docs"] != num_items:
            raise ArtifactError(
                f"{folder}: words of {bm25.scores['num_docs']} items, expected {num_items}. Run "
                "`dvc repro`."
            )
        return cls(bm25, num_items, settings["stemmer"])

    def write(self, folder: Path) -> None:
        """Write the index into a folder."""
        self._bm25.save(folder, show_progress=False)
        write_json(folder / _FORMS, {"stemmer": self._forms.stemmer})

    def __len__(self) -> int:
        return self._num_items

    @property
    def stemmer(self) -> str:
        """What `WordForms` stems with, here and for whoever reads the words elsewhere."""
        return self._forms.stemmer

    @property
    def vocabulary(self) -> dict[str, int]:
        """Column of `item_weights` by word; bm25s also has an empty one that no text has."""
        columns = self._bm25.vocab_dict.items()
        return {word: column for word, column in columns if column < len(self._idf)}

    def idf(self) -> tuple[NDArray[np.float64], float]:
        """Return the idf of every word, [V], and that of a word that no text has."""
        return self._idf, self._unknown

    def item_weights(self) -> "csc_matrix":
        """Return each word's part of BM25 in each text, [N, V]; times `query_weights`: `shares`."""
        from scipy.sparse import csc_matrix

        scores = self._bm25.scores
        parts = scores["data"], scores["indices"], scores["indptr"]
        return csc_matrix(parts, shape=(self._num_items, len(self._idf)))

    def query_weights(self, query: str) -> dict[str, float]:
        """Return a query as weights of words: how often it has each, by what it could reach."""
        words, reachable = self._reached(query)
        return {word: words.count(word) / reachable for word in words}

    def shares(self, query: str) -> NDArray[np.float32]:
        """Return how much of a query each text holds, in [0, 1), [N]; 0 without a common word."""
        words, reachable = self._reached(query)
        if not words:
            return np.zeros(self._num_items, np.float32)
        parts = self._bm25.scores
        shares = np.zeros(self._num_items, np.float32)
        for word in words:
            column = self._bm25.vocab_dict[word]
            texts = slice(parts["indptr"][column], parts["indptr"][column + 1])
            shares[parts["indices"][texts]] += parts["data"][texts]  # a text is there once
        shares /= reachable
        return shares

    def _reached(self, query: str) -> tuple[list[str], float]:
        """Return the words of a query that a text has, and the idf of all its words together."""
        vocabulary = self._bm25.vocab_dict
        known = [[word for word in unit if word in vocabulary] for _, unit in self._units(query)]
        words = [word for unit in known for word in unit]
        reachable = self._unknown * sum(not unit for unit in known) + sum(
            float(self._idf[vocabulary[word]]) for word in words
        )
        return words, reachable

    def known(self, query: str) -> tuple[float, int]:
        """Return the share of a query's idf that no text has, in [0, 1], and its known words.

        A query without a word is unknown: (1.0, 0).
        """
        vocabulary = self._bm25.vocab_dict
        rarest = [
            max(
                (float(self._idf[vocabulary[word]]) for word in unit if word in vocabulary),
                default=0,
            )
            for _, unit in self._units(query)
        ]
        known = [idf for idf in rarest if idf]
        missing = self._unknown * (len(rarest) - len(known))
        return (missing / (missing + sum(known)) if known else 1.0), len(known)

    def matched(self, query: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a query that the text of each row has, as the query writes them."""
        matched: list[list[str]] = [[] for _ in rows]
        starts, indices = self._bm25.scores["indptr"], self._bm25.scores["indices"]
        for written, unit in self._units(query):
            terms = [self._bm25.vocab_dict[word] for word in unit if word in self._bm25.vocab_dict]
            found = np.zeros(len(rows), bool)
            for term in terms:
                found |= np.isin(rows, indices[starts[term] : starts[term + 1]])
            for place in np.flatnonzero(found):
                matched[place].append(written)
        return matched

    def _units(self, query: str) -> list[tuple[str, list[str]]]:
        """Return the words of a query with their other forms, each after how it is written."""
        units = self._forms.written(query)
        code = code_of(query)
        if code and code in self._bm25.vocab_dict and not any(code in unit for _, unit in units):
            units.append((query, [code]))
        return units

    def best(self, shares: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the rows of the k largest shares above 0, best first, ties by row."""
        rows = np.flatnonzero(shares >= max(_reached_by(shares, k), LEAST))
        if k < len(rows):
            rows = rows[shares[rows] >= np.partition(shares[rows], -k)[-k]]
        return rows[np.lexsort((rows, -shares[rows]))][:k]


def _reached_by(shares: NDArray[np.float32], k: int) -> float:
    """Return a share that at least k items reach, 0 if there are too few items to say.

    The k-th largest of the shares that are the largest of their block is one; it is found in one
    pass, where to find the k-th largest of all takes many times as long.
    """
    num_blocks = len(shares) // _BLOCK
    if k > num_blocks:
        return 0.0
    largest = shares[: num_blocks * _BLOCK].reshape(num_blocks, _BLOCK).max(axis=1)
    return float(np.partition(largest, -k)[-k])


def _idf(found_in: NDArray[np.int64], num_items: int) -> NDArray[np.float64]:
    """Return Lucene's idf, `ln(1 + (N - n + 1/2) / (n + 1/2))`, of words found in n of N texts."""
    return np.log(1 + (num_items - found_in + 0.5) / (found_in + 0.5))
