"""The state of torch's random numbers, kept and put back."""

import torch
from torch import Tensor


def random_state() -> dict[str, Tensor]:
    """Return the state on the CPU, and on a GPU if there is one."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor]) -> None:
    """Put a state back; that of a GPU where there is one."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
