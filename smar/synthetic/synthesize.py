"""Synthetic queries for a whole catalogue, as a stream: memory holds the pairs of a few items."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from smar.data.schema import normalize_query
from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.synthetic.drawn import DROPPED, MADE, Drawn, as_batch, number_of
from smar.synthetic.generators import build_generator
from smar.synthetic.kept import Earlier, Keeper, how_drawn, keys_of
from smar.synthetic.words import ItemWords, item_words

logger = logging.getLogger(__name__)

COLUMNS = ("item_id", "title", "brand", "category", "attributes")
"""What is read of an item."""

_Pair = tuple[str, int, int, int]  # as in MADE
_TRIES = 2  # draws per query wanted: short titles run out of distinct queries


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
        self._held_out = {bag_of_stems(text) for text in queries.loc[is_held_out, "query"]}
        self._num_items = num_items
        self._per_item = _per_item(num_items, int((~is_held_out).sum()), params)
        self._params, self._seed = params, seed
        self._generators = {
            kind: build_generator(kind, getattr(params, kind)) for kind in params.shares
        }
        self._number = {kind: number for number, kind in enumerate(params.shares)}
        self.kinds: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.dropped = dict.fromkeys(DROPPED, 0)

    @property
    def held_out(self) -> NDArray[np.uint64]:
        """The numbers of the stems that are held out, ascending."""
        return np.array(sorted(number_of(b, self._seed) for b in self._held_out), np.uint64)

    @property
    def how(self) -> str:
        """What stands for the way in which an item's queries are drawn, but for the held-out."""
        settings = self._params.model_dump()
        return how_drawn(settings | {"seed": self._seed, "queries_an_item": self._per_item})

    def batches(
        self,
        items: Iterable[pa.RecordBatch],
        earlier: Earlier | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the pairs as in `schema.SYNTHETIC`, those of one batch of items at a time.

        Args:
            items: The catalogue, batches with the `COLUMNS` of `schema.ITEMS`.
            earlier: What need not be drawn again.
            keeper: Is given what was drawn.
        """
        kinds = list(self._params.shares)
        with tqdm(total=self._num_items, desc="synthesize", unit="item", disable=None) as bar:
            for batch in items:
                fields = [*zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True)]
                keys = keys_of(fields) if earlier or keeper else None
                drawn = self._drawn(fields, earlier, keys)
                if keeper and keys is not None:
                    keeper.add(keys, drawn)
                made = as_batch(batch["item_id"], drawn, kinds)
                self._count(made, drawn)
                yield made
                bar.update(len(batch))

    def _count(self, made: pa.RecordBatch, drawn: Drawn) -> None:
        for counter, name in ((self.kinds, "kind"), (self.splits, "split")):
            for entry in made[name].value_counts().to_pylist():
                counter[entry["values"]] += entry["counts"]
        for place, reason in enumerate(DROPPED):
            self.dropped[reason] += int(drawn.dropped[:, place].sum())

    def _drawn(
        self,
        fields: list[tuple[str, ...]],
        earlier: Earlier | None,
        keys: NDArray[np.uint64] | None,
    ) -> Drawn:
        """Return the pairs of items: of those that are as they were, what they had."""
        if earlier is None or keys is None:
            return self._draw(fields)
        rows = earlier.rows_of(keys)
        return earlier.joined(rows, self._draw([fields[row] for row in np.flatnonzero(rows < 0)]))

    def _draw(self, fields: list[tuple[str, ...]]) -> Drawn:
        found: list[_Pair] = []
        counts, dropped = [], []
        for item_id, *words in fields:
            rng = Random(f"{self._seed}/{item_id}")  # noqa: S311 - no secret hangs on these draws
            pairs, left_out = self._of_item(item_words(*words), rng)
            found += pairs
            counts.append(len(pairs))
            dropped.append(left_out)
        columns = zip(*found, strict=True) if found else [()] * len(MADE)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, MADE, strict=True)]
        return Drawn(
            pa.Table.from_arrays(arrays, schema=MADE),
            np.array(counts, np.int64),
            np.array(dropped, np.int64).reshape(-1, len(DROPPED)),
        )

    def _of_item(self, words: ItemWords, rng: Random) -> tuple[list[_Pair], list[int]]:
        """Return an item's pairs in the order drawn, and how many draws were left out."""
        params, found = self._params, dict[str, _Pair]()
        held_out = repeated = wordless = 0
        for _ in range(_TRIES * self._per_item):
            if len(found) == self._per_item:
                break
            kind = _pick_kind(rng.random(), params.shares)
            drawn = self._generators[kind](words, rng, params.min_tokens, params.max_tokens)
            text = normalize_query(" ".join(drawn))
            if not text:
                wordless += 1
            elif text in found:
                repeated += 1
            elif (bag := bag_of_stems(text)) in self._held_out:
                held_out += 1
            else:
                number = number_of(bag, self._seed)
                split = int(number / 2**64 < params.validation_frac)
                found[text] = text, self._number[kind], split, number
        return list(found.values()), [held_out, repeated, wordless]


def _per_item(num_items: int, num_real: int, params: SynthesizeParams) -> int:
    if not num_real:
        return params.max_per_item if params.ratio else 0
    return min(params.max_per_item, math.ceil(params.ratio * num_real / max(1, num_items)))


def _pick_kind(draw: float, shares: Mapping[str, float]) -> str:
    """Return the generator that a number in [0, 1) falls to."""
    last, below = "", 0.0
    for kind, share in shares.items():
        last, below = kind, below + share
        if draw < below:
            break
    return last
