"""What is tried: the same draws of what all systems share, and each system's own settings.

Trial 0 is the recipe that smar's study calls `full`, for every system; the others are drawn. A
setting that several systems have is drawn once for a trial's number, so that their trials differ in
nothing but the system.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from smar.seeding import generator

Settings = dict[str, Any]
Draw = Callable[[np.random.Generator], Any]


def one_of(*values: Any) -> Draw:
    """Return a draw of one of some values, all alike."""
    return lambda rng: values[int(rng.integers(len(values)))]


def even(low: float, high: float) -> Draw:
    """Return an even draw of a number in [low, high)."""
    return lambda rng: round(float(rng.uniform(low, high)), 4)


def even_in_log(low: float, high: float) -> Draw:
    """Return a draw of a number in [low, high) whose logarithm is even."""
    return lambda rng: float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


TRAINING: dict[str, Draw] = {
    "learning_rate": even_in_log(0.0007, 0.006),
    "temperature": even_in_log(0.03, 0.12),
    "items_per_step": one_of(96, 128, 192, 256),
    "queries_per_item": one_of(2, 4, 8),
    "misspelled_frac": one_of(0.0, 0.2),
    "synthetic_share": one_of(0.1, 0.2, 0.35),
    "text_layers": one_of(1, 2),
}
PICTURES: dict[str, Draw] = {
    "stem": one_of("conv", "patch"),
    "patch": one_of(5, 10),
    "image_layers": one_of(1, 2),
}
_PICTURE, _ONE_TOWER = even(0.2, 0.8), one_of(False, True)  # sentence-transformers has one always
_TWO_WAYS, _OWN_TOWERS = one_of(False, True), one_of(False, True)
SPACES: dict[str, dict[str, Draw]] = {
    "smar": TRAINING
    | PICTURES
    | {
        "fusion": one_of("cross_attention", "late_mean"),
        "picture": _PICTURE,
        "one_tower": _ONE_TOWER,
        "image_task": one_of(0.05, 0.1, 0.3, 1.0),
        "kept_tasks": one_of(0.1, 0.3, 0.6),
        "side_tasks": one_of(False, True),
    },
    "gcl": TRAINING
    | PICTURES
    | {"picture": _PICTURE, "one_tower": _ONE_TOWER, "power": one_of(0.0, 0.5, 1.0)},
    "st_pictures": TRAINING
    | PICTURES
    | {"picture": _PICTURE, "two_ways": _TWO_WAYS, "own_towers": _OWN_TOWERS},
    "st_text": TRAINING
    | {
        "two_ways": _TWO_WAYS,
        "own_towers": _OWN_TOWERS,
        "pooling": one_of("mean", "cls"),
        "hardness": one_of(0.0, 3.0, 9.0),
    },
    "bm25": {
        "k1": even(0.3, 3.0),
        "b": even(0.0, 1.0),
        "title": one_of(1, 2, 3),
        "brand": one_of(0, 1, 2),
        "category": one_of(0, 1, 2),
        "attributes": one_of(0, 1, 2),
    },
}
"""The settings of every system, in the order of the tables; a field of `bm25` is so often there."""

_RECIPE: Mapping[str, Any] = {
    "learning_rate": 0.002,
    "temperature": 0.07,
    "items_per_step": 256,
    "queries_per_item": 4,
    "misspelled_frac": 0.2,
    "synthetic_share": 0.2,
    "text_layers": 1,
    "stem": "conv",
    "patch": 10,
    "image_layers": 1,
    "fusion": "cross_attention",
    "one_tower": False,
    "image_task": 0.1,
    "kept_tasks": 0.3,
    "side_tasks": True,
    "picture": 0.5,
    "power": 1.0,
    "two_ways": False,
    "own_towers": False,
    "pooling": "mean",
    "hardness": 0.0,
    "k1": 1.5,
    "b": 0.75,
    "title": 1,
    "brand": 1,
    "category": 1,
    "attributes": 1,
}


def draw(system: str, number: int, seed: int) -> Settings:
    """Return the settings of a trial, counted from 0; the same for the same arguments.

    Args:
        system: A name of `SPACES`.
        number: 0 is the recipe itself.
        seed: Decides what is drawn.
    """
    space = SPACES[system]
    if not number:
        return {name: _RECIPE[name] for name in space}
    return {name: of(generator(seed, "fair", name, number)) for name, of in space.items()}
