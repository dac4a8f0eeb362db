"""Synthetic queries for a whole catalogue, as a stream: memory holds the pairs of a few items."""

import logging
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from smar.content_keys import keys_of
from smar.data.stems import bag_of_stems
from smar.params import ClusterParams, SynthesizeParams
from smar.shards.mapping import map_shards
from smar.synthetic.drawing import Drawer
from smar.synthetic.drawn import DROPPED, SPLITS, Drawn, as_batch, number_of
from smar.synthetic.kept import Earlier, Keeper, how_drawn

logger = logging.getLogger(__name__)

COLUMNS = ("item_id", "title", "brand", "category", "attributes")
"""What is read of an item."""

_Waiting = tuple[pa.Array, NDArray[np.uint64], NDArray[np.int64]]  # ids, keys, rows kept
_HERE = ClusterParams()


class Synthesis:
    """Synthetic queries, `ratio` per distinct real training query, spread over the items.

    Each (query, item) pair occurs once, and no query has the stems of one that is held out.
    Without a log every item gets `max_per_item`. Which queries an item gets depends on the seed
    and on the item alone, so a changed catalogue changes only what changed.

    Args:
        queries: Query table, columns query and split (`schema.QUERIES`).
        num_items: Size of the catalogue.
        params: The `synthesize` section.
        seed: Another seed, other draws.

    Attributes:
        kinds: Pairs by generator, of what was made so far.
        splits: Pairs by split.
        dropped: Draws left out, by reason.
    """

    def __init__(
        self, queries: pd.DataFrame, num_items: int, params: SynthesizeParams, seed: int
    ) -> None:
        is_held_out = queries["split"] != "train"
        held_out = frozenset(bag_of_stems(text) for text in queries.loc[is_held_out, "query"])
        per_item = _per_item(num_items, int((~is_held_out).sum()), params)
        self._drawer = Drawer(held_out, per_item, params, seed)
        self._num_items = num_items
        self._params, self._seed = params, seed
        self.kinds: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.dropped = dict.fromkeys(DROPPED, 0)

    @property
    def held_out(self) -> NDArray[np.uint64]:
        """The numbers of the stems that are held out, ascending."""
        return np.array(sorted(number_of(b, self._seed) for b in self._drawer.held_out), np.uint64)

    @property
    def how(self) -> str:
        """What stands for the way in which an item's queries are drawn, but for the held-out."""
        settings = self._params.model_dump()
        return how_drawn(settings | {"seed": self._seed, "queries_an_item": self._drawer.per_item})

    def batches(
        self,
        items: Iterable[pa.RecordBatch],
        earlier: Earlier | None = None,
        keeper: Keeper | None = None,
        cluster: ClusterParams = _HERE,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the pairs as in `drawn.WRITTEN`, those of one batch of items at a time.

        Args:
            items: The catalogue, batches with the `COLUMNS` of `schema.ITEMS`.
            earlier: What need not be drawn again.
            keeper: Is given what was drawn.
            cluster: Where queries are drawn.
        """
        kinds, waiting = list(self._params.shares), deque[_Waiting]()
        shards = self._to_draw(items, earlier, waiting, needs_keys=bool(earlier or keeper))
        prepare = partial(_given, self._drawer)
        with tqdm(total=self._num_items, desc="synthesize", unit="item", disable=None) as bar:
            for drawn in map_shards(prepare, shards, cluster, here=self._drawer):
                item_ids, keys, rows = waiting.popleft()
                whole = drawn if earlier is None else earlier.joined(rows, drawn)
                if keeper:
                    keeper.add(keys, whole)
                self._count(whole, kinds)
                yield as_batch(item_ids, whole, kinds)
                bar.update(len(item_ids))

    def _to_draw(
        self,
        items: Iterable[pa.RecordBatch],
        earlier: Earlier | None,
        waiting: deque[_Waiting],
        *,
        needs_keys: bool,
    ) -> Iterator[list[tuple[str, ...]]]:
        """Yield of every batch the items that are not as they were; what else there is waits."""
        for batch in items:
            fields = [*zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True)]
            keys = keys_of(fields if needs_keys else [])
            rows = earlier.rows_of(keys) if earlier else np.full(len(fields), -1)
            waiting.append((batch["item_id"], keys, rows))
            yield [fields[row] for row in np.flatnonzero(rows < 0)]

    def _count(self, drawn: Drawn, kinds: Sequence[str]) -> None:
        for counter, column, names in (
            (self.kinds, "kind", kinds),
            (self.splits, "split", SPLITS),
        ):
            for entry in drawn.pairs[column].value_counts().to_pylist():
                counter[names[entry["values"]]] += entry["counts"]
        for place, reason in enumerate(DROPPED):
            self.dropped[reason] += int(drawn.dropped[:, place].sum())


def _given(drawer: Drawer) -> Drawer:
    """Return what draws, as it came to a worker."""
    return drawer


def _per_item(num_items: int, num_real: int, params: SynthesizeParams) -> int:
    if not num_real:
        return params.max_per_item if params.ratio else 0
    return min(params.max_per_item, math.ceil(params.ratio * num_real / max(1, num_items)))
