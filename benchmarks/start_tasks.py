"""What a trained model is measured on when starts are compared.

Shapes: Q queries, N items, D embedding length, V values of a task.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.judging.metrics import judge, ndcg, precision, recall
from smar.judging.runs import QuerySet, Run
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import ItemEmbeddings
from smar.models.encode import encode_queries
from smar.params import IndexParams

Figure = float | NDArray[np.float64]
"""One number, or one of each query."""

_K = 50
_PICTURE_SHARE = 0.9  # of an item in the tasks of KAGL that find products by a value
_LEAST = 10  # items of a value: with fewer a precision at 10 cannot be 1
_COLOURS = (
    "black white blue navy red green grey pink purple brown yellow orange beige silver gold maroon"
)


@dataclass(frozen=True)
class Trained:
    """A trained model with its vectors of a catalogue.

    Args:
        model: The model.
        vectors: S_t, S_i and S_m of the items, [N, D] each.
        ids: Ids of the items, [N].
        words: The words of the items' texts.
    """

    model: DualEncoder
    vectors: ItemEmbeddings
    ids: list[str]
    words: WordIndex

    @cached_property
    def index(self) -> HybridIndex:
        """All items in an exact index, with words that count nothing yet."""
        settings = IndexParams(exact_below=len(self.ids) + 1)
        rows = gated_items(self.vectors.text, self.vectors.multimodal)
        found = build_index(rows, self.ids, settings, lambda: rows[:1])
        return HybridIndex(found, self.words, 0.0)


def title_to_picture(
    titles: NDArray[np.float32], image: NDArray[np.float32], own: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return R@1, R@10, the reciprocal rank at 10 of each title's own picture among all, [Q] each.

    Args:
        titles: Vectors of titles, [Q, D].
        image: S_i of all items, zero without a picture, [N, D].
        own: Row of each title's item, [Q].
    """
    scores = titles @ image.T
    scores[:, ~image.any(1)] = -np.inf
    rank = (scores > scores[np.arange(len(own)), own][:, None]).sum(1)
    return {
        "title_r@1": (rank < 1).astype(np.float64),
        "title_r@10": (rank < 10).astype(np.float64),
        "title_mrr@10": np.where(rank < 10, 1 / (rank + 1), 0),
    }


def products_of(
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    image: NDArray[np.float32],
    text: NDArray[np.float32],
    values: Sequence[str],
) -> tuple[float, int]:
    """Return P@10 of items found by a value, such as their colour, and how many values there are.

    An item is 0.9 of its picture and 0.1 of its text, the query is the value alone. Values of fewer
    than ten items are left out.

    Args:
        encode: Query texts to vectors, [V, D].
        image: S_i of the items that are searched, [N, D].
        text: S_t of them, [N, D].
        values: Value of each, "" for none, [N].
    """
    here = np.asarray(values, object)
    told, counts = np.unique(here[here != ""], return_counts=True)
    told = told[counts >= _LEAST]
    if not len(told):
        return float("nan"), 0
    documents = _PICTURE_SHARE * image + (1 - _PICTURE_SHARE) * text
    scores = encode([value.lower() for value in told]) @ documents.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return float((here[best] == told[:, None]).mean()), len(told)


def colours(titles: Iterable[str]) -> list[str]:
    """Return the one colour that each title names, "" where it names none or several."""
    known = set(_COLOURS.split())
    found = [sorted(known & set(title.lower().split())) for title in titles]
    return [named[0] if len(named) == 1 else "" for named in found]


def judged(
    trained: Trained, queries: QuerySet, share: float, cold: NDArray[np.int64]
) -> dict[str, Figure]:
    """Return R@50, P@10 and nDCG@10 of vectors and of the search, [Q] each, and R@50 of cold items.

    That of cold and of warm items is over all pairs of a query and a relevant item, one number.

    Args:
        trained: The model and its vectors.
        queries: A query set.
        share: Of the words.
        cold: Items that were held out of training.
    """
    if not len(queries):
        return {}
    encoded = encode_queries(trained.model, queries.texts)
    index = replace(trained.index, word_share=share)
    alone = index.vectors.search(gated_queries(encoded.vector, encoded.gate), _K)
    figures: dict[str, Figure] = {}
    for name, (scores, rows) in (
        ("vectors", alone),
        ("search", index.search(queries.texts, encoded, _K)),
    ):
        found = judge(Run(name, rows, scores), queries, _K)
        figures |= {
            f"{name}_r@50": recall(found, _K),
            f"{name}_p@10": precision(found, 10),
            f"{name}_ndcg@10": ndcg(found, 10),
        }
    relevant = (queries.qrels >= queries.relevant_grade).toarray().astype(bool)
    warm = np.ones(relevant.shape[1], bool)
    warm[cold] = False
    hit = np.zeros_like(relevant)
    np.put_along_axis(hit, np.asarray(alone[1]), True, axis=1)
    for name, part in (("cold", relevant & ~warm), ("warm", relevant & warm)):
        if part.any():
            figures[f"{name}_r@50"] = float((part & hit).sum() / part.sum())
    return figures


def first_vectors(model: DualEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one vector a text, [Q, D]: the first of several."""
    return encode_queries(model, list(texts)).vector.reshape(len(texts), -1, model.dim)[:, 0]
