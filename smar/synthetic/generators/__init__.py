"""Makers of synthetic queries: a file for each kind, which says all about it.

A generator is a function `generate(item, rng, shortest, longest, params) -> words`.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from smar.params.kinds import GENERATORS
from smar.synthetic.words import ItemWords

Generator = Callable[[ItemWords, Random, int, int], list[str]]


def build_generator(kind: str, params: Any) -> Generator:
    """Return a generator with its parameters.

    Raises:
        ParamsError: If there is no such kind.
    """
    module = GENERATORS[kind].load()

    def generate(item: ItemWords, rng: Random, shortest: int, longest: int) -> list[str]:
        words: list[str] = module.generate(item, rng, shortest, longest, params)
        return words

    return generate
