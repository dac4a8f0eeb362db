"""Whole fields, as shoppers who name a brand and a kind of thing."""

from random import Random

from smar.synthetic.words import ItemWords


def field(item: ItemWords, rng: Random, shortest: int, longest: int) -> list[str]:
    """Return one or two whole fields in any order, cut to `longest` words.

    With the fields stands the title's first or last `shortest` words, so that an item without brand
    and category has queries too.
    """
    size = max(1, min(shortest, len(item.title)))
    ends = [item.title[:size], item.title[-size:]]
    pool = [*item.fields, ends[int(rng.random() * 2)]]
    first = int(rng.random() * len(pool))
    chosen = list(pool[first])
    if len(pool) > 1 and rng.random() < 0.7:
        chosen += pool[(first + 1 + int(rng.random() * (len(pool) - 1))) % len(pool)]
    return list(dict.fromkeys(chosen))[:longest]
