"""Synthetic queries for a whole catalogue, as a stream: memory holds the pairs of a few items."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from random import Random

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from smar.data.schema import SYNTHETIC, normalize_query
from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.synthetic.generators import build_generator
from smar.synthetic.words import ItemWords, item_words

logger = logging.getLogger(__name__)

COLUMNS = ("item_id", "title", "brand", "category", "attributes")
"""What is read of an item."""

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
        self.kinds: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.dropped = {"stems of a held-out query": 0, "repeated for the item": 0, "no word": 0}

    def batches(self, items: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the pairs as in `schema.SYNTHETIC`, those of one batch of items at a time.

        Args:
            items: The catalogue, batches with the `COLUMNS` of `schema.ITEMS`.
        """
        with tqdm(total=self._num_items, desc="synthesize", unit="item", disable=None) as bar:
            for batch in items:
                yield self._of_batch(batch)
                bar.update(len(batch))

    def _of_batch(self, items: pa.RecordBatch) -> pa.RecordBatch:
        made: dict[str, list[str]] = {name: [] for name in SYNTHETIC.names}
        for item_id, *fields in zip(*(items[name].to_pylist() for name in COLUMNS), strict=True):
            rng = Random(f"{self._seed}/{item_id}")  # noqa: S311 - no secret hangs on these draws
            found = self._of_item(item_words(*fields), rng)
            for text, (kind, split) in found.items():
                made["query"].append(text)
                made["kind"].append(kind)
                made["split"].append(split)
            made["item_id"] += [item_id] * len(found)
        self.kinds.update(made["kind"])
        self.splits.update(made["split"])
        return pa.RecordBatch.from_pydict(made, schema=SYNTHETIC)

    def _of_item(self, words: ItemWords, rng: Random) -> dict[str, tuple[str, str]]:
        """Return the generator and the split of each query of an item, in the order drawn."""
        params, found = self._params, dict[str, tuple[str, str]]()
        for _ in range(_TRIES * self._per_item):
            if len(found) == self._per_item:
                break
            kind = _pick_kind(rng.random(), params.shares)
            drawn = self._generators[kind](words, rng, params.min_tokens, params.max_tokens)
            text = normalize_query(" ".join(drawn))
            if not text:
                self.dropped["no word"] += 1
            elif text in found:
                self.dropped["repeated for the item"] += 1
            elif (bag := bag_of_stems(text)) in self._held_out:
                self.dropped["stems of a held-out query"] += 1
            else:
                found[text] = kind, _split_of(bag, params, self._seed)
        return found


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


def _split_of(bag: str, params: SynthesizeParams, seed: int) -> str:
    place = int.from_bytes(blake2b(f"{seed}/{bag}".encode(), digest_size=8).digest(), "big")
    return "validation" if place / 2**64 < params.validation_frac else "train"
