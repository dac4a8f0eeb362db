"""Where the time of a search goes."""

import time
from types import TracebackType


class Clock:
    """Milliseconds by part; a part that is entered again goes on."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    def __call__(self, part: str) -> "_Part":
        """Return what adds the time within a `with` to a part."""
        return _Part(self.milliseconds, part)


class _Part:
    """A part that is being timed: plainer than a generator, for a search has ten of them."""

    __slots__ = ("_milliseconds", "_name", "_start")

    def __init__(self, milliseconds: dict[str, float], name: str) -> None:
        self._milliseconds, self._name = milliseconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        spent = (time.perf_counter() - self._start) * 1e3
        self._milliseconds[self._name] = self._milliseconds.get(self._name, 0.0) + spent
