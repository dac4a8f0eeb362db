"""What loops are compiled by."""

from collections.abc import Callable
from typing import Any

from numba import njit, types


def array(of: Any, dims: int = 1, *, readonly: bool = False) -> Any:
    """Return the type of an array without gaps."""
    return types.Array(of, dims, "C", readonly=readonly)


def compiled(*signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what compiles a function, and keeps that for the next process where it can."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(*signature, cache=True, nogil=True)(function)
        except RuntimeError:  # neither the code's folder nor the user's may be written
            return njit(*signature, nogil=True)(function)

    return decorate
