"""Which paths overlap, without comparing each with each."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class PathIndex(Generic[V]):
    """Values by path, found through any path that is equal, above or below.

    Args:
        entries: Paths with "/" between their parts ("." is all of the repository), and a value.
    """

    def __init__(self, entries: Iterable[tuple[str, V]]) -> None:
        self._values: dict[str, list[V]] = {}
        for path, value in entries:
            self._values.setdefault(path, []).append(value)
        self._sorted = sorted(self._values)

    def at(self, path: str) -> list[V]:
        """Return the values of exactly this path."""
        return self._values.get(path, [])

    def above(self, path: str) -> Iterator[V]:
        """Yield the values of the folders that a path lies in."""
        end = path.find("/")
        while end != -1:
            yield from self._values.get(path[:end] or "/", [])
            end = path.find("/", end + 1)
        if path != "." and is_inside(path):
            yield from self._values.get(".", [])

    def below(self, path: str) -> Iterator[V]:
        """Yield the values of what lies within a folder."""
        start = f"{path}/" if path != "." else ""
        for place in range(bisect_left(self._sorted, start), len(self._sorted)):
            found = self._sorted[place]
            if not found.startswith(start):
                return
            if path != "." or (found != "." and is_inside(found)):
                yield from self._values[found]

    def overlapping(self, path: str) -> Iterator[V]:
        """Yield the values of everything that is equal to a path, above it or below it."""
        yield from self.at(path)
        yield from self.above(path)
        yield from self.below(path)


def is_inside(path: str) -> bool:
    """Return whether a path lies in the repository: not above it, not absolute, no address."""
    return not path.startswith(("../", "/")) and path != ".." and "://" not in path


def overlaps(one: str, other: str) -> bool:
    """Return whether two paths are equal or one lies within the other."""
    return one == other or any(PathIndex([(other, True)]).overlapping(one))
