"""What a trained model makes of pairs: whom it finds as near as a query's own item is no negative.

Shapes: Q queries and B items of a step, P pairs, K vectors a query, N items, D embedding length.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.item_source import ItemSource
from smar.index.ann import gated_items, gated_queries
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.train.dataset import TrainingData

_BATCH = 512
_BLOCK = 65_536  # pairs that are scored at once


def known_queries(data: TrainingData) -> NDArray[np.int64]:
    """Return the rows of the logged query texts, or of the synthetic ones where there is no log."""
    pairs = data.real if len(data.real) else data.synthetic
    return np.unique(pairs.query).astype(np.int64)


@dataclass(frozen=True)
class Guide:
    """Gated vectors of what is trained on, by the model that training starts from.

    Args:
        queries: Rows of the query texts that it knows, ascending.
        query_vectors: `[(1-g) Q ; g Q]` of these, [len(queries), 2 D] or [len(queries), K, 2 D].
        item_vectors: `[S_t ; S_m]` of all items, [N, 2 D].
    """

    queries: NDArray[np.int64]
    query_vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]

    @classmethod
    def of(
        cls, model: DualEncoder, data: TrainingData, items: pd.DataFrame, images: ItemSource
    ) -> "Guide":
        """Return what a model says, which is left as it was, in evaluation mode or not.

        It knows the logged queries, or the synthetic ones where there is no log.

        Args:
            model: The model.
            data: The training data.
            items: Item table (`schema.ITEMS`).
            images: The picture store.
        """
        training = model.training
        model.eval()
        made = encode_items(model, items, images, _BATCH)
        queries = known_queries(data)
        encoded = encode_queries(model, [data.queries[row] for row in queries])
        model.train(training)
        vectors = gated_queries(encoded.vector, encoded.gate)
        return cls(queries, vectors, gated_items(made.text, made.multimodal))

    def of_pairs(self, queries: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the score of each query with the item beside it, [P]; all have to be known."""
        place = np.searchsorted(self.queries, queries)
        scores = np.empty(len(queries), np.float32)
        for start in range(0, len(queries), _BLOCK):
            part = slice(start, start + _BLOCK)
            of_item = self.item_vectors[items[part]]
            several = self.query_vectors[place[part]].reshape(len(of_item), -1, of_item.shape[-1])
            scores[part] = np.einsum("pkd,pd->pk", several, of_item).max(1)
        return scores

    def nearer(
        self,
        queries: NDArray[np.int64],
        items: NDArray[np.int64],
        target: NDArray[np.int64],
        margin: float,
    ) -> NDArray[np.bool_]:
        """Return which items score above a query's own by more than what the margin allows, [Q, B].

        `s_j > s_t - margin |s_t|`, for t the query's own item (GISTEmbed, Solatorio, 2024, with
        the relative margin of NV-Retriever, Moreira et al., 2024). A query that is not known has
        none.

        Args:
            queries: Rows of the query texts, [Q].
            items: Rows of the item table, [B].
            target: Position in `items` of each query's own item, [Q].
            margin: A share of the own item's score, at least 0.
        """
        scores = self.scores(queries, items)
        own = np.take_along_axis(scores, target[:, None], 1)
        found: NDArray[np.bool_] = scores > own - margin * np.abs(own)  # NaN is above nothing
        return found

    def scores(self, queries: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of queries with items, [Q, B]; NaN for queries that are not known."""
        place = np.minimum(np.searchsorted(self.queries, queries), len(self.queries) - 1)
        is_known = self.queries[place] == queries
        scores = self.query_vectors[place] @ self.item_vectors[items].T  # [Q, B] or [Q, K, B]
        if scores.ndim == 3:
            scores = scores.max(1)
        return np.where(is_known[:, None], scores, np.float32(np.nan))
