"""What a training draws from, and which items never stand against a query.

Shapes: Q queries and B items of a step, P pairs.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.data.categories import is_visual
from smar.train.pairs import Pairs, gather_synthetic

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class TrainingData:
    """Everything a trainer draws from; rows refer to `queries` and to the item table.

    Args:
        queries: Distinct query texts.
        real: Pairs from the log.
        synthetic: Pairs from the synthetic queries.
        texts: What the text tower sees of each item, [items].
        group: Items of one group are one thing to a shopper (equal text and pictures), [items].
        visual: Whether the item is bought by eye, [items].
        shown: 1 where the shop showed the item for the query and nobody engaged,
            [queries, items]; None if that was not asked for.
    """

    queries: Sequence[str]
    real: Pairs
    synthetic: Pairs
    texts: Sequence[str]
    group: NDArray[np.int64]
    visual: NDArray[np.bool_]
    shown: csr_matrix | None = None

    @property
    def num_items(self) -> int:
        """Size of the catalogue."""
        return len(self.texts)

    def known(self, queries: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether query and item are a pair of either kind, [Q, B]."""
        found: NDArray[np.bool_] = self.known_pairs(queries, items).toarray()
        return found

    def holds_words(
        self, queries: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return whether the item has every word of the query, [Q, B].

        An item's words are those of its text and of the logged queries it was engaged for. A query
        without a word is held by none.
        """
        return words_held(*self.words(queries, items))

    def known_pairs(self, queries: NDArray[np.int64], items: NDArray[np.int64]) -> csr_matrix:
        """Return what `known` does, as a sparse matrix."""
        asked, place = np.unique(queries, return_inverse=True)
        rows, columns = [], []
        for pairs in (self.real, self.synthetic):
            query, owner = pairs.of_items(items)
            row = np.minimum(np.searchsorted(asked, query), len(asked) - 1)
            is_asked = asked[row] == query
            rows.append(row[is_asked])
            columns.append(owner[is_asked])
        row, column = np.concatenate(rows), np.concatenate(columns)
        shape = (len(asked), len(items))
        return csr_matrix((np.ones(len(row), bool), (row, column)), shape=shape)[place]

    def words(
        self, queries: NDArray[np.int64], items: NDArray[np.int64]
    ) -> tuple[csr_matrix, csr_matrix]:
        """Return which words of the queries each query and item has, [Q, words] and [B, words]."""
        asked, place = np.unique(queries, return_inverse=True)
        words = [self._query_words(row) for row in asked]
        column = {word: number for number, word in enumerate(set[str]().union(*words))}
        return _one_hot(words, column)[place], _one_hot(self._item_words(items), column)

    def pairs_hold_words(
        self, queries: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return for each query and the item beside it what `holds_words` says of them, [P]."""
        asked, query = np.unique(queries, return_inverse=True)
        offered, item = np.unique(items, return_inverse=True)
        words = [self._query_words(row) for row in asked]
        held = self._item_words(offered)
        pairs = zip(query.tolist(), item.tolist(), strict=True)
        return np.array([bool(words[q]) and words[q] <= held[i] for q, i in pairs], bool)

    def _query_words(self, row: int) -> set[str]:
        return set(_WORD.findall(self.queries[int(row)].lower()))

    def _item_words(self, items: NDArray[np.int64]) -> list[set[str]]:
        words = [set(_WORD.findall(self.texts[row].lower())) for row in items.tolist()]
        for query, owner in zip(*self.real.of_items(items), strict=True):
            words[owner] |= self._query_words(query)
        return words


def build_training_data(
    items: pd.DataFrame,
    texts: list[str],
    *,
    graded: pd.DataFrame,
    synthetic: Iterable[pa.RecordBatch],
    visual_categories: list[str],
    folder: Path,
    shown: pd.DataFrame | None = None,
) -> TrainingData:
    """Return the training data of a catalogue.

    Args:
        items: Item table (`schema.ITEMS`).
        texts: What the text tower sees of each item.
        graded: Columns query (text), item_id and grade, as `clicks.grade_engagements` gives.
        synthetic: Columns query and item_id of the synthetic training queries.
        visual_categories: Category prefixes of items that are bought by eye.
        folder: Where there is room for the synthetic pairs; nothing is left there.
        shown: Columns query (text) and item_id of what was shown and not engaged, if it counts;
            queries and items that are not trained on are left out.
    """
    query_rows, logged = pd.factorize(graded["query"])
    item_ids = pd.Index(items["item_id"])
    queries, made = gather_synthetic(synthetic, list(logged), item_ids, folder)
    row_of = pd.Series(np.arange(len(items)), index=item_ids)
    item_rows = row_of.loc[graded["item_id"]].to_numpy(np.int64)
    weight = graded["grade"].to_numpy(np.float64)
    content = pd.Series(texts) + "\n" + items["image_ids"].map(lambda ids: str(list(ids)))
    return TrainingData(
        queries=queries,
        real=Pairs.of(query_rows.astype(np.int64), item_rows, weight, len(items)),
        synthetic=made,
        texts=texts,
        group=pd.factorize(content)[0].astype(np.int64),
        visual=is_visual(items["category"], visual_categories),
        shown=None if shown is None else _shown_matrix(shown, queries, pd.Index(logged), row_of),
    )


def words_held(of_query: csr_matrix, of_item: csr_matrix) -> NDArray[np.bool_]:
    """Return whether an item has every word of a query, [Q, B], from the words of each."""
    needed = np.maximum(of_query.sum(1), 1)
    held: NDArray[np.bool_] = np.asarray((of_query @ of_item.T).toarray() >= needed)
    return held


def _shown_matrix(
    shown: pd.DataFrame, queries: Sequence[str], logged: pd.Index, row_of: pd.Series
) -> csr_matrix:
    # What nobody engaged for a text stands beside what somebody did: the text is a logged one.
    query = logged.get_indexer(pd.Index(shown["query"]))
    item = row_of.reindex(shown["item_id"]).fillna(-1).to_numpy(np.int64)
    used = (query >= 0) & (item >= 0)
    ones = np.ones(int(used.sum()), np.float32)
    return csr_matrix((ones, (query[used], item[used])), shape=(len(queries), len(row_of)))


def _one_hot(words: Sequence[set[str]], column: Mapping[str, int]) -> csr_matrix:
    """Return which of the words with a column each set has, [sets, columns]."""
    found = [[column[word] for word in own if word in column] for own in words]
    starts = np.concatenate([[0], np.cumsum([len(columns) for columns in found])])
    columns = np.fromiter(chain.from_iterable(found), np.int64, int(starts[-1]))
    ones = np.ones(len(columns), np.float32)
    return csr_matrix((ones, columns, starts), shape=(len(words), max(1, len(column))))
