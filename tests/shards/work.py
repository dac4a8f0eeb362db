"""Functions over shards that workers of a cluster import."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from smar.errors import ArtifactError, DataError
from smar.train.ranks import current_ranks


def squares(delay_s: float = 0.0) -> Callable[[int], tuple[int, int]]:
    """Return what squares a number, and says which process did."""

    def square(number: int) -> tuple[int, int]:
        time.sleep(delay_s)
        return number**2, os.getpid()

    return square


def sleepers() -> Callable[[tuple[float, int]], tuple[int, int]]:
    """Return what takes as long over a number as it is told, and says which process did."""

    def sleep(shard: tuple[float, int]) -> tuple[int, int]:
        time.sleep(shard[0])
        return shard[1], os.getpid()

    return sleep


def fatal(number: int, mark: Path, times: int) -> Callable[[int], int]:
    """Return what kills its process at a number, so many times."""

    def square(given: int) -> int:
        if given == number and len(list(mark.iterdir())) < times:
            (mark / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return given**2

    return square


def refusing() -> Callable[[int], int]:
    """Return what refuses every shard."""

    def refuse(number: int) -> int:
        raise DataError(f"{number}: not a shard")

    return refuse


def nothing_there() -> Callable[[int], int]:
    """Find nothing to begin with."""
    raise ArtifactError("data/images: is missing.")


def a_rank(mark: Path, times: int) -> None:
    """Leave a mark of one of the ranks; the second is killed so many times before."""
    ranks = current_ranks()
    if ranks.own == 1 and len(list(mark.glob("killed-*"))) < times:
        (mark / f"killed-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.gathered(ranks.own)
    (mark / f"{ranks.own} of {ranks.number}").touch()


def refusing_rank() -> None:
    """Refuse to train."""
    raise DataError("nothing to train on")
