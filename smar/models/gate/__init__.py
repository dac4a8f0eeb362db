"""Ways to say how much the picture counts: one small file each, and an entry here.

A gate is built as `Gate(widths: GateWidths)`; `category` and `learned` are one module that is
trained in two ways (`smar/train/gating.py`).
"""

from collections.abc import Callable

from smar.models.gate.base import Gate, GateWidths
from smar.models.gate.constant import AlwaysGate, NeverGate
from smar.models.gate.per_item import PerItemGate
from smar.models.gate.query import QueryGate

GATES: dict[str, Callable[[GateWidths], Gate]] = {
    "never": NeverGate,
    "always": AlwaysGate,
    "category": QueryGate,
    "learned": QueryGate,
    "per_item": PerItemGate,
}
