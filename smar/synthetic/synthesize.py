"""Synthetic queries for a whole catalogue."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

import pandas as pd
from tqdm import tqdm

from smar.data.schema import SYNTHETIC, normalize_query
from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.synthetic.generators import build_generator
from smar.synthetic.words import item_words

logger = logging.getLogger(__name__)

_TRIES = 2  # draws per query wanted: short titles run out of distinct queries


@dataclass(frozen=True)
class Synthetic:
    """Synthetic queries and what was left out on the way.

    Args:
        queries: Columns of `schema.SYNTHETIC`, items in catalogue order.
        dropped: Draws left out, by reason.
    """

    queries: pd.DataFrame
    dropped: dict[str, int]


def synthesize(
    items: pd.DataFrame, queries: pd.DataFrame, params: SynthesizeParams, seed: int
) -> Synthetic:
    """Return synthetic queries, `ratio` per distinct real training query, spread over the items.

    Each (query, item) pair occurs once, and no query has the stems of one that is held out.
    Without a log every item gets `max_per_item`. Which queries an item gets depends on the seed
    and on the item alone, so a changed catalogue changes only what changed.

    Args:
        items: Item table (`schema.ITEMS`).
        queries: Query table (`schema.QUERIES`).
        params: The `synthesize` section.
        seed: Another seed, other draws.
    """
    held_out = {bag_of_stems(text) for text in queries.loc[queries["split"] != "train", "query"]}
    per_item = _per_item(len(items), int((queries["split"] == "train").sum()), params)
    rows: list[tuple[str, str, str]] = []
    dropped = {"stems of a held-out query": 0, "repeated for the item": 0, "no word": 0}
    generators = {kind: build_generator(kind, getattr(params, kind)) for kind in params.shares}
    columns = ("item_id", "title", "brand", "category", "attributes")
    bar = tqdm(total=len(items), desc="synthesize", unit="item", disable=None)
    for item_id, *fields in zip(*(items[name] for name in columns), strict=True):
        rng = Random(f"{seed}/{item_id}")  # noqa: S311 - no secret hangs on these draws
        words = item_words(*fields)
        seen: set[str] = set()
        for _ in range(_TRIES * per_item):
            if len(seen) == per_item:
                break
            kind = _pick_kind(rng.random(), params.shares)
            drawn = generators[kind](words, rng, params.min_tokens, params.max_tokens)
            text = normalize_query(" ".join(drawn))
            if not text:
                dropped["no word"] += 1
            elif text in seen:
                dropped["repeated for the item"] += 1
            elif bag_of_stems(text) in held_out:
                dropped["stems of a held-out query"] += 1
            else:
                seen.add(text)
                rows.append((text, item_id, kind))
        bar.update()
    bar.close()
    frame = pd.DataFrame(rows, columns=["query", "item_id", "kind"], dtype=object)
    split = {text: _split_of(text, params, seed) for text in frame["query"].unique()}
    frame["split"] = frame["query"].map(split).astype(object)
    return Synthetic(frame[SYNTHETIC.names], dropped)


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


def _split_of(text: str, params: SynthesizeParams, seed: int) -> str:
    bag = bag_of_stems(text)
    place = int.from_bytes(blake2b(f"{seed}/{bag}".encode(), digest_size=8).digest(), "big")
    return "validation" if place / 2**64 < params.validation_frac else "train"
