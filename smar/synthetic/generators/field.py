"""Whole fields, as shoppers who name a brand and a kind of thing."""

from random import Random

from smar.params.section import Fraction, Section
from smar.synthetic.words import ItemWords


class Params(Section):
    """Parameters of this generator."""

    second_frac: Fraction = 0.7
    """Chance of a second field."""


def generate(
    item: ItemWords, rng: Random, shortest: int, longest: int, params: Params
) -> list[str]:
    """Return one or two whole fields in any order, cut to `longest` words.

    With the fields stands the title's first or last `shortest` words, so that an item without brand
    and category has queries too.

    Example:
        >>> words = ItemWords(["red", "boot"], [["acme"], ["ankle", "boots"]])
        >>> generate(words, Random(2), 1, 3, Params(second_frac=0.0))
        ['boot']
    """
    size = max(1, min(shortest, len(item.title)))
    ends = [item.title[:size], item.title[-size:]]
    pool = [*item.fields, ends[int(rng.random() * 2)]]
    first = int(rng.random() * len(pool))
    chosen = list(pool[first])
    if len(pool) > 1 and rng.random() < params.second_frac:
        chosen += pool[(first + 1 + int(rng.random() * (len(pool) - 1))) % len(pool)]
    return list(dict.fromkeys(chosen))[:longest]
