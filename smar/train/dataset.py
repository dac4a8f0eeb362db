"""Training pairs: which query text goes with which item, and which items never stand against it."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.data.categories import is_visual
from smar.data.schema import ACTIONS

_TOP_GRADE = 4.0
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Pairs:
    """(query, item) pairs sorted by item.

    Args:
        query: Row of the query text, [P].
        item: Row of the item, ascending, [P].
        weight: Grade of the engagement (1 for a synthetic pair), > 0: the pair's chance of being
            drawn against the item's other pairs, [P].
    """

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True)
class TrainingData:
    """Everything a trainer draws from; rows refer to `queries` and to the item table.

    Args:
        queries: Distinct query texts.
        real: Pairs from the log.
        synthetic: Pairs from the synthetic queries.
        known: 1 where query and item are a pair of either kind, [queries, items].
        query_words: Words of each query, [queries, words].
        item_words: Words of each item's text and of the queries it was engaged for,
            [items, words].
        group: Items of one group are one thing to a shopper (equal text and pictures), [items].
        visual: Whether the item is bought by eye, [items].
        shown: 1 where the shop showed the item for the query and nobody engaged,
            [queries, items]; None if that was not asked for.
    """

    queries: list[str]
    real: Pairs
    synthetic: Pairs
    known: csr_matrix
    query_words: csr_matrix
    item_words: csr_matrix
    group: NDArray[np.int64]
    visual: NDArray[np.bool_]
    shown: csr_matrix | None = None

    @property
    def num_items(self) -> int:
        """Size of the catalogue."""
        return int(self.item_words.shape[0])


def build_training_data(
    items: pd.DataFrame,
    texts: list[str],
    *,
    graded: pd.DataFrame,
    synthetic: pd.DataFrame,
    visual_categories: list[str],
    shown: pd.DataFrame | None = None,
) -> TrainingData:
    """Return the training data of a catalogue.

    Args:
        items: Item table (`schema.ITEMS`).
        texts: What the text tower sees of each item.
        graded: Columns query (text), item_id and grade, as `grade_engagements` gives.
        synthetic: Columns query and item_id of the synthetic training queries.
        visual_categories: Category prefixes of items that are bought by eye.
        shown: Columns query (text) and item_id of what was shown and not engaged, if it counts;
            queries and items that are not trained on are left out.
    """
    pairs = pd.concat(
        [
            graded[["query", "item_id"]].assign(weight=graded["grade"], real=True),
            synthetic[["query", "item_id"]].assign(weight=1.0, real=False),
        ],
        ignore_index=True,
    )
    query_rows, queries = pd.factorize(pairs["query"])
    row_of = pd.Series(np.arange(len(items)), index=items["item_id"])
    item_rows = row_of.loc[pairs["item_id"]].to_numpy(np.int64)
    real = pairs["real"].to_numpy(bool)
    weight = pairs["weight"].to_numpy(np.float64)
    query_words, item_words = _word_matrices(list(queries), texts)
    engaged = csr_matrix(
        (np.ones(int(real.sum()), np.float32), (item_rows[real], query_rows[real])),
        shape=(len(items), len(queries)),
    )
    item_words += engaged @ query_words
    item_words.data[:] = 1
    content = pd.Series(texts) + "\n" + items["image_ids"].map(lambda ids: str(list(ids)))
    return TrainingData(
        queries=list(queries),
        real=_sorted_pairs(query_rows[real], item_rows[real], weight[real]),
        synthetic=_sorted_pairs(query_rows[~real], item_rows[~real], weight[~real]),
        known=csr_matrix(
            (np.ones(len(pairs), np.float32), (query_rows, item_rows)),
            shape=(len(queries), len(items)),
        ),
        query_words=query_words,
        item_words=item_words,
        group=pd.factorize(content)[0].astype(np.int64),
        visual=is_visual(items["category"], visual_categories),
        shown=None if shown is None else _shown_matrix(shown, pd.Index(queries), row_of),
    )


def grade_engagements(engagements: pd.DataFrame) -> pd.DataFrame:
    """Return one grade per engaged (query_id, item_id), in (0, 4].

    `4 (a P + b A + c C) / max over the query's items`, with purchases P, adds to cart A, clicks C,
    and a = 1, b = |P|/|A|, c = |P|/|C|: an action counts the more the rarer it is (Target,
    2609.31498). Where a kind of action never occurs, the rarest that does takes its place.
    """
    counts = engagements.groupby(["query_id", "item_id", "action"], observed=True).size()
    table = counts.unstack("action", fill_value=0).reindex(columns=list(ACTIONS), fill_value=0)
    totals = table.sum()
    scarcest = totals[totals > 0].min() if len(table) else 1.0
    weights = (scarcest / totals.where(totals > 0, np.inf)).clip(upper=1.0)
    value = (table * weights).sum(axis=1)
    grade = _TOP_GRADE * value / value.groupby(level="query_id").transform("max")
    return grade.rename("grade").reset_index()


def _shown_matrix(shown: pd.DataFrame, queries: pd.Index, row_of: pd.Series) -> csr_matrix:
    query = queries.get_indexer(pd.Index(shown["query"]))
    item = row_of.reindex(shown["item_id"]).fillna(-1).to_numpy(np.int64)
    used = (query >= 0) & (item >= 0)
    ones = np.ones(int(used.sum()), np.float32)
    return csr_matrix((ones, (query[used], item[used])), shape=(len(queries), len(row_of)))


def _sorted_pairs(
    query: NDArray[np.int64], item: NDArray[np.int64], weight: NDArray[np.float64]
) -> Pairs:
    order = np.lexsort((query, item))
    return Pairs(query[order].astype(np.int64), item[order], weight[order])


def _word_matrices(queries: list[str], texts: list[str]) -> tuple[csr_matrix, csr_matrix]:
    """Return which words occur in queries and in item texts, over one vocabulary."""
    words = [_WORD.findall(text.lower()) for text in (*queries, *texts)]
    rows = np.repeat(np.arange(len(words)), [len(of_text) for of_text in words])
    flat = np.array([word for of_text in words for word in of_text], dtype=object)
    columns, vocabulary = pd.factorize(flat)
    matrix = csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)),
        shape=(len(words), max(1, len(vocabulary))),
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix[: len(queries)], matrix[len(queries) :]
