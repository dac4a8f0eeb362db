"""A step of more items than fit: pictures stay in their store, what may stand is a bit a pair.

Shapes: Q queries, B items, L tokens.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smar.train.batching import Batch, BatchMaker
from smar.train.ranks import ALONE, Ranks
from smar.train.sampling import Draw
from smar.train.standing import Bits

_NONE = slice(0, 0)


def _untaught(_queries: slice) -> Tensor:
    return torch.empty(0)


@dataclass(frozen=True)
class LargeBatch:
    """One step's content, from which ordinary batches of some of it are made.

    Args:
        texts: Tokens of queries and items, [Q, L], [B, L], and lengths, [Q], [B], by their names
            in `Batch`.
        facts: Target, grade and visual of the queries, [Q], and group of the items, [B].
        allowed: Which items may stand against which queries.
        shown: Which items the shop showed for which queries without anybody engaging.
        image_ids: Rows of the picture store.
        owner: Position of the item that each picture belongs to, ascending.
        maker: Reads the pictures.
        chunk_items: Items that go through the towers at once.
        taught: A teacher's scores of some of the queries with all items.
        views: How each picture is looked at; None: as they are.
    """

    texts: dict[str, Tensor]
    facts: dict[str, Tensor]
    allowed: Bits
    shown: Bits
    image_ids: NDArray[np.int64]
    owner: NDArray[np.int64]
    maker: BatchMaker
    chunk_items: int
    taught: Callable[[slice], Tensor] = _untaught
    views: NDArray[np.float32] | None = None

    @classmethod
    def make(cls, maker: BatchMaker, draw: Draw, chunk_items: int) -> "LargeBatch":
        """Return the step of a draw."""
        image_ids, owner = maker.pictures(draw)
        allowed, shown = maker.standing(draw).packed()
        return cls(
            maker.texts(draw),
            maker.facts(draw),
            allowed,
            shown,
            image_ids,
            owner,
            maker,
            chunk_items,
            partial(maker.taught, draw),
            maker.views(draw, len(image_ids)),
        )

    @property
    def num_items(self) -> int:
        """B."""
        return len(self.facts["group"])

    @property
    def num_queries(self) -> int:
        """Q."""
        return len(self.facts["target"])

    def item_chunks(self, ranks: Ranks = ALONE, *, with_pictures: bool) -> Iterator[Batch]:
        """Yield a rank's batches of items without a query."""
        for items in ranks.part(_slices(self.num_items, self.chunk_items)):
            first, last = np.searchsorted(self.owner, [items.start, items.stop])
            here = slice(first, last if with_pictures else first)
            yield self._part(items, _NONE, here)

    def query_chunks(self, ranks: Ranks = ALONE) -> Iterator[Batch]:
        """Yield a rank's batches of queries, as many as go with a chunk of items; no item."""
        size = max(1, self.chunk_items * self.num_queries // self.num_items)
        for queries in ranks.part(_slices(self.num_queries, size)):
            yield self._part(_NONE, queries, _NONE)

    def known_of(self, queries: slice) -> Batch:
        """Return what is known of some queries and all items; it holds no token or picture."""
        facts = {name: self.facts[name][queries] for name in ("target", "grade", "visual")}
        bits = {"allowed": self.allowed, "shown": self.shown}
        known = {name: torch.from_numpy(each.rows(queries)) for name, each in bits.items()}
        nothing = self._part(_NONE, _NONE, _NONE)
        of_items = {"group": self.facts["group"], "taught": self.taught(queries)}
        return Batch(**{**vars(nothing), **facts, **known, **of_items})

    def _part(self, items: slice, queries: slice, pictures: slice) -> Batch:
        owner = self.owner[pictures] - items.start
        num_queries, num_items = queries.stop - queries.start, items.stop - items.start
        no_pair = torch.zeros(num_queries, num_items, dtype=torch.bool)
        views = None if self.views is None else self.views[pictures]
        texts = {}
        for name, rows in (("query", queries), ("item", items)):
            lengths = self.texts[f"{name}_lengths"][rows]
            longest = int(lengths.max()) if len(lengths) else 0
            ids = self.texts[f"{name}_ids"][rows]  # or states that a frozen tower gave
            texts[f"{name}_ids"] = ids if ids.is_floating_point() else ids[:, :longest]
            texts[f"{name}_lengths"] = lengths
        return Batch(
            **texts,
            **{name: self.facts[name][queries] for name in ("target", "grade", "visual")},
            group=self.facts["group"][items],
            pictures=self.maker.read(self.image_ids[pictures], views),
            owner=torch.from_numpy(owner),
            allowed=no_pair,
            shown=no_pair,
        )


def _slices(total: int, size: int) -> list[slice]:
    """Return consecutive slices of a size; the last may be shorter."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]
