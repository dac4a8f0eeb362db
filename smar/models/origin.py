"""What a tower starts from, and what of that its training moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from smar.errors import ParamsError
from smar.models.low_rank import is_added

_SEQUENCES = frozenset({"blocks", "stages", "layers"})  # as timm calls a network's layers
Unfreeze = int | str  # "all", "none", "lora", or how many of the last layers


@dataclass(frozen=True)
class Origin:
    """Where a tower comes from.

    Args:
        source: The pretrained model, "" for none.
        unfreeze: What of it moves: "all", "none", "lora", or the number of its last layers.
        fingerprint: Of all that decides what a frozen tower makes of its inputs; "" of others.
    """

    source: str = ""
    unfreeze: Unfreeze = "all"
    fingerprint: str = ""

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of it moves, so that what it makes of an input can be kept."""
        return self.unfreeze == "none"


def held(backbone: nn.Module, head: nn.Module, origin: Origin) -> Iterator[nn.Parameter]:
    """Yield the parameters of a pretrained part that stay as they are.

    Of N last layers, those and what comes behind them move (a last norm, a pooling, the head). Of
    "lora" what was added moves.

    Raises:
        ParamsError: If there are fewer layers than are to move.
    """
    if origin.unfreeze == "all":
        return
    if not isinstance(origin.unfreeze, int):
        yield from (value for name, value in backbone.named_parameters() if not is_added(name))
        yield from head.parameters()
        return
    name, layers = layers_of(backbone)
    if origin.unfreeze > len(layers):
        raise ParamsError(
            f"unfreeze: {origin.unfreeze} layers of {origin.source}, which has {len(layers)}. Set "
            "it to at most that, or to all."
        )
    first = len(layers) - origin.unfreeze
    for key, parameter in backbone.named_parameters():
        layer = _layer_of(key, name)
        if layer is not None and layer >= first:
            return
        yield parameter


def depths_of(backbone: nn.Module) -> dict[int, int]:
    """Return how many layers lie above each parameter, by the parameter's `id`.

    0 in the last layer and behind it, one more than the first layer's for what lies before. All
    are 0 in a backbone without a list of layers.
    """
    if not _lists_of(backbone):
        return {id(parameter): 0 for parameter in backbone.parameters()}
    name, layers = layers_of(backbone)
    found, depth = {}, len(layers)
    for key, parameter in backbone.named_parameters():
        layer = _layer_of(key, name)
        if layer is not None:
            depth = len(layers) - 1 - layer  # what comes behind the last layer has its depth
        found[id(parameter)] = depth
    return found


def layers_of(backbone: nn.Module) -> tuple[str, nn.ModuleList | nn.Sequential]:
    """Return the list of layers that makes up most of a backbone, with its name in it.

    Raises:
        ParamsError: If it has no such list.
    """
    lists = _lists_of(backbone)
    if not lists:
        raise ParamsError(
            f"unfreeze: {type(backbone).__name__} has no list of layers to count; set it to all, "
            "none or lora."
        )
    name = max(lists, key=lambda each: (_size(lists[each]), -each.count(".")))
    return name, lists[name]


def _lists_of(backbone: nn.Module) -> dict[str, nn.ModuleList | nn.Sequential]:
    """Return the lists of more than one layer by name; timm keeps its layers in sequences."""
    found: dict[str, nn.ModuleList | nn.Sequential] = {}
    for name, module in backbone.named_modules():
        is_sequence = isinstance(module, nn.Sequential) and name.rpartition(".")[2] in _SEQUENCES
        if isinstance(module, nn.ModuleList) or is_sequence:
            found |= {name: module} if len(module) > 1 else {}
    return found


def _layer_of(key: str, name: str) -> int | None:
    """Return the layer that a parameter belongs to, None for one outside of the list `name`."""
    return int(key[len(name) + 1 :].partition(".")[0]) if key.startswith(f"{name}.") else None


def _size(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
