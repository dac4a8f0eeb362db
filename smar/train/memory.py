"""What to do about a step that does not fit into memory."""

from contextlib import AbstractContextManager

from smar.errors import TrainingError
from smar.models import memory
from smar.params import TrainParams


def told_of_memory(params: TrainParams) -> AbstractContextManager[None]:
    """Let a step say which setting halves what it takes, where memory is not enough.

    Args:
        params: The section of the stage.

    Raises:
        TrainingError: If memory was not enough.
    """
    at_once = min(params.chunk_items or params.items_per_step, params.items_per_step)
    return memory.told_of_memory(
        f"{at_once} items of a step in the towers at once",
        f"Set chunk_items to {max(1, at_once // 2)}: half of it, and the same gradients (more "
        "time). recompute: true keeps less of pretrained towers; unfreeze: none keeps nothing of "
        "them.",
        TrainingError,
    )
