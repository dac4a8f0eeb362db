"""Random substrings of the title."""

from random import Random

from smar.params.section import Section
from smar.synthetic.words import ItemWords


class Params(Section):
    """This generator has none."""


def generate(
    item: ItemWords, rng: Random, shortest: int, longest: int, params: Params
) -> list[str]:
    """Return some words that stand side by side in the title (RSR: Qiu et al., 2022).

    A title shorter than `shortest` is returned whole.

    Example:
        >>> words = ItemWords(["red", "leather", "boot"], [])
        >>> generate(words, Random(1), 2, 2, Params())
        ['leather', 'boot']
    """
    longest = min(longest, len(item.title))
    length = min(shortest, longest) + int(rng.random() * (longest - min(shortest, longest) + 1))
    start = int(rng.random() * (len(item.title) - length + 1))
    return item.title[start : start + length]
