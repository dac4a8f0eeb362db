"""Combinations of single words from all over the item."""

from random import Random

from smar.params.section import Section
from smar.synthetic.words import ItemWords


class Params(Section):
    """This generator has none."""


def generate(
    item: ItemWords, rng: Random, shortest: int, longest: int, params: Params
) -> list[str]:
    """Return distinct words drawn from title and fields, in random order.

    The form of "women red sandal": an attribute, another, and what it is.

    Example:
        >>> words = ItemWords(["red", "boot"], [["acme"]])
        >>> sorted(generate(words, Random(0), 3, 3, Params()))
        ['acme', 'boot', 'red']
    """
    pool = list(dict.fromkeys([*item.title, *(word for words in item.fields for word in words)]))
    longest = min(longest, len(pool))
    length = min(shortest, longest) + int(rng.random() * (longest - min(shortest, longest) + 1))
    for place in range(length):  # a partial Fisher-Yates shuffle
        other = place + int(rng.random() * (len(pool) - place))
        pool[place], pool[other] = pool[other], pool[place]
    return pool[:length]
