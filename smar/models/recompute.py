"""States that are computed again for gradients instead of being kept."""

from typing import Any

from smar.errors import ParamsError
from smar.models.dual_encoder import DualEncoder


def recompute_states(model: DualEncoder) -> None:
    """Let pretrained towers compute states again in the backward pass: less memory, more time.

    Raises:
        ParamsError: If a model of transformers cannot.
    """
    for name in ("query", "text", "image"):
        tower: Any = getattr(model, name)
        if not tower.source or tower.origin.is_frozen:
            continue
        if not tower.backbone.supports_gradient_checkpointing:
            raise ParamsError(
                f"recompute: {type(tower.backbone).__name__} of the {name} tower cannot compute "
                "its states again. Set it to false, or take smaller steps."
            )
        tower.backbone.activation_checkpointing_enable()
