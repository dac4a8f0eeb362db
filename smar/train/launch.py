"""What the environment says of the processes of a training; it costs no import of torch."""

import os


def asked_ranks() -> int:
    """Return how many processes the environment says that there are; 1 where it says nothing."""
    return int(os.environ.get("WORLD_SIZE", "1"))
