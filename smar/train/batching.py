"""Training batches, assembled in the background.

Shapes: Q queries, B items, F fields of an item's text, M pictures, L tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from random import Random
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smar.data.item_source import ItemSource
from smar.data.misspell import misspell
from smar.data.token_table import TokenTable
from smar.data.tokens import PictureTable, forget_words, mask_fields, text_tensors, token_tensors
from smar.train.augment import seen_as
from smar.train.dataset import TrainingData
from smar.train.sampling import Draw
from smar.train.standing import Nearer, Standing

B = TypeVar("B")
Taught = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
_PREFETCH = 2


@dataclass(frozen=True)
class Batch:
    """One step's tensors.

    Args:
        query_ids: Token ids of the queries, [Q, L].
        query_lengths: Tokens of each query, [Q].
        item_ids: Token ids of the items, [B, L]; or states [B, H] that a frozen tower gave.
        item_lengths: Tokens of each item, [B].
        pictures: uint8, [M, height, width, 3]; or features [M, F] of a frozen tower.
        owner: Position of the item each picture belongs to, [M].
        target: Position of each query's own item, [Q].
        allowed: True where an item may stand as a negative of a query, [Q, B].
        shown: True where the shop showed an item for a query and nobody engaged, [Q, B].
        grade: Engagement grade of each query with its own item, in (0, 4], [Q].
        visual: 1.0 where the query's own item is bought by eye, [Q].
        group: Items with equal numbers are one thing to a shopper, [B].
        taught: A teacher's scores, [Q, B], NaN where it has none; empty without a teacher.
    """

    query_ids: Tensor
    query_lengths: Tensor
    item_ids: Tensor
    item_lengths: Tensor
    pictures: Tensor
    owner: Tensor
    target: Tensor
    allowed: Tensor
    shown: Tensor
    grade: Tensor
    visual: Tensor
    group: Tensor
    taught: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def num_queries(self) -> int:
        """Q."""
        return len(self.target)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class BatchMaker:
    """Turns draws into tensors.

    Item tokens and pictures are looked up. Queries are encoded when they are drawn: a run sees few
    of the many that a catalogue has.

    Args:
        data: The training data.
        encode_queries: Returns the token ids of query texts.
        item_tokens: Token ids of the item texts, or what reads those of a draw's items, [B].
        pictures: Which pictures belong to which item.
        images: The picture store, or the features of frozen towers.
        item_texts: What the text tower sees of each item, by which its states may be kept.
        nearer: Which items a trained model finds as near to a query as its own (`Guide.nearer`).
        taught: A teacher's scores of rows of query texts with rows of items, [Q, B].
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        encode_queries: Callable[[list[str]], TokenTable],
        item_tokens: TokenTable | Callable[[Draw], TokenTable],
        pictures: PictureTable,
        images: ItemSource,
        item_texts: Sequence[str] = (),
        nearer: Nearer | None = None,
        taught: Taught | None = None,
    ) -> None:
        self._nearer, self._taught = nearer, taught
        self._data, self._images, self._item_texts = data, images, item_texts
        self._encode_queries, self._item_tokens = encode_queries, item_tokens
        self._pictures = pictures

    def make(self, draw: Draw) -> Batch:
        """Return the tensors of a draw."""
        image_ids, owner = self.pictures(draw)
        allowed, shown = self.standing(draw).rows(slice(None))
        return Batch(
            **self.texts(draw),
            **self.facts(draw),
            pictures=self.read(image_ids, self.views(draw, len(image_ids))),
            owner=torch.from_numpy(owner),
            allowed=torch.from_numpy(allowed),
            shown=torch.from_numpy(shown),
            taught=self.taught(draw, slice(None)),
        )

    def taught(self, draw: Draw, queries: slice) -> Tensor:
        """Return a teacher's scores of some of a draw's queries, rightly spelled, with its items.

        [Q, B]; empty without a teacher.
        """
        if self._taught is None:
            return torch.empty(0)
        return torch.from_numpy(self._taught(draw.queries[queries], draw.items))

    def texts(self, draw: Draw) -> dict[str, Tensor]:
        """Return the tokens of a draw's queries and items, and how many each has."""
        cpu = torch.device("cpu")
        tokens = self._encode_queries(self._queries_of(draw))
        query_ids, query_lengths = token_tensors(tokens, np.arange(len(draw.queries)), cpu)
        read = self._item_tokens
        if isinstance(read, TokenTable) and draw.hidden is None and draw.forgotten is None:
            states = self._images.states_of([self._item_texts[row] for row in draw.items])
            item_ids, item_lengths = text_tensors(read, draw.items, states, cpu)
        else:
            masked, rows = (
                (read, draw.items)
                if isinstance(read, TokenTable)
                else (read(draw), np.arange(len(draw.items)))
            )
            if draw.hidden is not None:
                masked, rows = mask_fields(masked, rows, draw.hidden), np.arange(len(rows))
            if draw.forgotten is not None:
                masked = forget_words(masked, rows, draw.forgotten, draw.items)
                rows = np.arange(len(rows))
            item_ids, item_lengths = token_tensors(masked, rows, cpu)
        return {
            "query_ids": query_ids,
            "query_lengths": query_lengths,
            "item_ids": item_ids,
            "item_lengths": item_lengths,
        }

    def facts(self, draw: Draw) -> dict[str, Tensor]:
        """Return what is known of a draw's queries and items, beside what may stand."""
        visual = self._data.visual[draw.items[draw.target]]
        return {
            "target": torch.from_numpy(draw.target),
            "grade": torch.from_numpy(draw.grade.astype(np.float32)),
            "visual": torch.from_numpy(visual.astype(np.float32)),
            "group": torch.from_numpy(self._data.group[draw.items]),
        }

    def pictures(self, draw: Draw) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of a draw's pictures, and the place of the item that each belongs to."""
        return self._pictures.of_items(draw.items)

    def views(self, draw: Draw, num_pictures: int) -> NDArray[np.float32] | None:
        """Return how a draw's pictures are looked at, [M, 6]; None: as they are."""
        return None if draw.views is None else draw.views.of(num_pictures)

    def read(
        self, image_ids: NDArray[np.int64], views: NDArray[np.float32] | None = None
    ) -> Tensor:
        """Return pictures under views [M, 6], uint8, [M, height, width, 3]."""
        pictures = torch.from_numpy(self._images.read(image_ids))
        return pictures if views is None else seen_as(pictures, views)

    def standing(self, draw: Draw) -> Standing:
        """Return which of a draw's items may stand against which of its queries."""
        return Standing(self._data, draw.queries, draw.items, draw.target, self._nearer)

    def _queries_of(self, draw: Draw) -> list[str]:
        """Return the texts of a draw's queries, misspelled where they are to be."""
        queries = [self._data.queries[row] for row in draw.queries]
        if draw.slips is None:
            return queries
        pairs = zip(queries, draw.slips.tolist(), strict=True)
        return [
            query if slip < 0 else misspell(query, Random(slip))  # noqa: S311 - no secret
            for query, slip in pairs
        ]


def prefetch(make: Callable[[int], B], first: int, last: int) -> Iterator[B]:
    """Yield the batches of steps `first` to `last` - 1, assembled in a background thread.

    Args:
        make: Returns the batch of a step.
        first: The first step.
        last: The step after the last one.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = [pool.submit(make, step) for step in range(first, min(first + _PREFETCH, last))]
        for step in range(first, last):
            batch = waiting.pop(0).result()
            if step + _PREFETCH < last:
                waiting.append(pool.submit(make, step + _PREFETCH))
            yield batch
