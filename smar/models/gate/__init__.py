"""Ways to say how much the picture counts: a file for each kind, which says all about it.

A gate is built as `KindGate(widths, params)`. Other files of this folder hold what kinds share.
"""

from collections.abc import Mapping
from typing import Any

from smar.models.gate.base import Gate, GateWidths
from smar.models.gate.header import Header
from smar.params.kinds import GATES


def build_gate(kind: str, params: Mapping[str, Any], widths: GateWidths) -> Gate:
    """Return a gate before training.

    Args:
        kind: Its name; "" for the header alone, which is what pre-training leaves: any kind can be
            put in its place.
        params: Its parameters; a missing one has its default.
        widths: Widths of what it sees.

    Raises:
        ParamsError: If there is no such kind.
    """
    if not kind:
        return Header(widths)
    module = GATES[kind].load()
    gate: Gate = module.KindGate(widths, module.Params(**params))
    return gate
