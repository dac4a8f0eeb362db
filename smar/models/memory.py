"""What to do where something does not fit into memory; torch is not imported."""

from collections.abc import Iterator
from contextlib import contextmanager

from smar.errors import SmarError


@contextmanager
def told_of_memory(what: str, remedy: str, kind: type[SmarError]) -> Iterator[None]:
    """Say what was held at once, and what halves it, where memory is not enough.

    Args:
        what: Was held, for example "512 items encoded at once".
        remedy: A setting, in a sentence.
        kind: Error that is raised.

    Raises:
        SmarError: Of this kind, if memory was not enough.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        told = " ".join(str(error).split())[:200]
        raise kind(f"out of memory with {what} ({told}). {remedy}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was not enough, of a device or of the machine."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return True
    text = str(error)  # of the allocator of a processor, which has no class of its own
    return "can't allocate memory" in text or "not enough memory" in text
