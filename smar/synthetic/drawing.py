"""Drawing the queries of items, here or in a worker of a cluster."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pyarrow as pa

from smar.data.schema import normalize_query
from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.synthetic.drawn import DROPPED, MADE, Drawn, number_of
from smar.synthetic.generators import build_generator
from smar.synthetic.words import ItemWords, item_words

_Pair = tuple[str, int, int, int]  # as in MADE
_TRIES = 2  # draws per query wanted: short titles run out of distinct queries


class Drawer:
    """Draws the queries of items; what an item gets depends on the item and on this alone.

    Args:
        held_out: Bags of stems that no query may have.
        per_item: Queries of an item, at most.
        params: The `synthesize` section.
        seed: Another seed, other draws.
    """

    def __init__(
        self, held_out: frozenset[str], per_item: int, params: SynthesizeParams, seed: int
    ) -> None:
        self.held_out, self.per_item = held_out, per_item
        self._params, self._seed = params, seed
        self._generators = {
            kind: build_generator(kind, getattr(params, kind)) for kind in params.shares
        }
        self._number = {kind: number for number, kind in enumerate(params.shares)}

    def __call__(self, fields: Sequence[Sequence[str]]) -> Drawn:
        """Return the pairs of items; each is id, title, brand, category and attributes."""
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
        for _ in range(_TRIES * self.per_item):
            if len(found) == self.per_item:
                break
            kind = _pick_kind(rng.random(), params.shares)
            drawn = self._generators[kind](words, rng, params.min_tokens, params.max_tokens)
            text = normalize_query(" ".join(drawn))
            if not text:
                wordless += 1
            elif text in found:
                repeated += 1
            elif (bag := bag_of_stems(text)) in self.held_out:
                held_out += 1
            else:
                number = number_of(bag, self._seed)
                split = int(number / 2**64 < params.validation_frac)
                found[text] = text, self._number[kind], split, number
        return list(found.values()), [held_out, repeated, wordless]


def _pick_kind(draw: float, shares: Mapping[str, float]) -> str:
    """Return the generator that a number in [0, 1) falls to."""
    last, below = "", 0.0
    for kind, share in shares.items():
        last, below = kind, below + share
        if draw < below:
            break
    return last
