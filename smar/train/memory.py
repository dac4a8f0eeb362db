"""What to do about a step that does not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from smar.errors import TrainingError
from smar.params import TrainParams


@contextmanager
def told_of_memory(params: TrainParams) -> Iterator[None]:
    """Let a step say which setting halves what it takes, where memory is not enough.

    Args:
        params: The section of the stage.

    Raises:
        TrainingError: If memory was not enough.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        at_once = min(params.chunk_items or params.items_per_step, params.items_per_step)
        raise TrainingError(
            f"out of memory with {at_once} items of a step in the towers at once "
            f"({' '.join(str(error).split())[:200]}). Set chunk_items to {max(1, at_once // 2)}: "
            "half of it, and the same gradients (more time). recompute: true keeps less of "
            "pretrained towers; unfreeze: none keeps nothing of them."
        ) from error


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)  # of the allocator of a processor, which has no class of its own
    return "can't allocate memory" in text or "not enough memory" in text
