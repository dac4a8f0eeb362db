"""From encoded queries and items to the scores that a loss sees.

Shapes: Q queries, K vectors a query, B items, D embedding length.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from smar.losses.scored import ScoredPairs
from smar.models.dual_encoder import DualEncoder, ItemOutput, QueryOutput
from smar.models.lengths import cut
from smar.models.query_vectors import merge_vectors
from smar.train.batching import Batch


@dataclass(frozen=True)
class Portion:
    """Some rows of a step's scores, and what a loss has to know of all of them.

    Args:
        share: How many of all rows they are, in (0, 1].
        first: The first of them, where a step cuts them out itself.
        last: The one after the last; None: all that follow.
        pictured: How many of the step's queries have an own item with a picture; None: to be
            counted, for these are all.
        grades: Engagement grades of all of the step's queries; None: those of these rows.
        aligned: First of the items with a picture that are aligned beside these rows of queries,
            and the one after the last; None: all of them.
    """

    share: float = 1.0
    first: int = 0
    last: int | None = None
    pictured: Tensor | None = None
    grades: Tensor | None = None
    aligned: tuple[int, int] | None = None

    @property
    def rows(self) -> slice:
        """The rows that a step cuts out."""
        return slice(self.first, self.last)


WHOLE = Portion()
"""All rows at once."""


@dataclass(frozen=True)
class Encoded:
    """A batch after the towers.

    Args:
        query: The queries.
        item: The items.
        beta: Softness of the maximum over a query's vectors.
    """

    query: QueryOutput
    item: ItemOutput
    beta: float

    @classmethod
    def of_items(cls, item: ItemOutput) -> Self:
        """Return items alone, for a step that looks at no query."""
        none = item.text.new_zeros(0)
        return cls(QueryOutput(item.text[:0].detach(), none, item.text_norm), item, 1.0)

    def cut(self, length: int) -> Self:
        """Return the same with the first `length` numbers of every vector, at unit norm again."""
        if length == self.item.text.shape[-1]:
            return self
        item = replace(
            self.item,
            text=cut(self.item.text, length),
            image=cut(self.item.image, length),
            multimodal=cut(self.item.multimodal, length),
        )
        query = replace(self.query, embedding=cut(self.query.embedding, length))
        return replace(self, query=query, item=item)

    def similarity(self, items: Tensor) -> Tensor:
        """Return dot products of every query vector with items [B, D]: [Q, B] or [Q, K, B].

        In float32: bfloat16 would blur scores by a tenth of a logit.
        """
        with torch.autocast(items.device.type, enabled=False):
            return self.query.embedding @ items.T

    def merged(self, similarity: Tensor) -> Tensor:
        """Return one score per query and item, [Q, B]."""
        return merge_vectors(similarity, self.beta)


def encode_batch(model: DualEncoder, batch: Batch) -> Encoded:
    """Return the queries and items of a batch; each item is encoded once."""
    query = encode_queries_of(model, batch)
    return Encoded(query, encode_items_of(model, batch), model.options.beta)


def encode_queries_of(model: DualEncoder, batch: Batch) -> QueryOutput:
    """Return the queries of a batch."""
    return model.encode_query_tokens(batch.query_ids, batch.query_lengths)


def encode_items_of(model: DualEncoder, batch: Batch) -> ItemOutput:
    """Return the items of a batch."""
    return model.encode_item_tokens(batch.item_ids, batch.item_lengths, batch.pictures, batch.owner)


def pairs_of(
    scores: Tensor, batch: Batch, portion: Portion, allowed: Tensor | None = None
) -> ScoredPairs:
    """Return scores [Q, B] with what a batch knows of the pairs; `allowed` may be narrower."""
    may_stand = batch.allowed if allowed is None else allowed
    return ScoredPairs(
        scores, batch.target, may_stand, batch.shown, batch.grade, grades=portion.grades
    )
