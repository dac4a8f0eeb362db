"""Which release answers: the current one, changed while searches go on.

The new release is loaded and warmed beside the old one and takes its place in one assignment:
searches that have begun end on the old one. A release that cannot be loaded is refused and the old
one stays. Releases that were left stay in memory, so that going back to one takes no time.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smar.service.registry import AUTO, CURRENT, NONE, current_version, versions
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

logger = logging.getLogger(__name__)

_AGAIN_S = 30.0  # between two tries to load a release that was refused
_WARM = ("warm", "a query of several words that loads what is loaded at the first search")
_COUNTED = "availability"  # few values; what counts them takes longer to import than to count


@dataclass(frozen=True)
class Refusal:
    """A release that could not take over.

    Args:
        release: Its version.
        reason: Why.
    """

    release: str
    reason: str


class Live:
    """The releases in memory, and the one that answers.

    Args:
        root: The project's root folder.
        release: As for `Retriever.load`; a version stays as it is.
        watch_s: Between two looks at the link.
        kept: Releases in memory.
        on_switch: Told of every switch with the new version, and of every refusal.
        prepare: Is given every retriever before it answers.
    """

    def __init__(
        self,
        root: Path,
        release: str = AUTO,
        *,
        watch_s: float = 0.2,
        kept: int = 2,
        on_switch: Callable[[str, bool], None] = lambda *_: None,
        prepare: Callable[[Retriever], None] = lambda _: None,
    ) -> None:
        self._root, self._kept, self._watch_s = root, kept, watch_s
        self._on_switch, self._prepare = on_switch, prepare
        self._loaded: OrderedDict[str, Retriever] = OrderedDict()
        self._lock = threading.Lock()  # of `_loaded`
        self._loading = threading.Lock()
        self._stop = threading.Event()
        self.refused: Refusal | None = None
        self._refused_at = 0.0
        self._wanted = current_version(root) if release in {AUTO, CURRENT} else ""
        self._current = self._load(release if not self._wanted else self._wanted)
        self._thread: threading.Thread | None = None
        if release in {AUTO, CURRENT}:
            self._thread = threading.Thread(target=self._watch, name="releases", daemon=True)
            self._thread.start()
        logger.info("release %s answers", self.release or "of the working tree")

    @property
    def current(self) -> Retriever:
        """The retriever that answers new searches."""
        return self._current

    @property
    def release(self) -> str:
        """Its version, "" for the working tree."""
        return self._current.release

    def get(self, release: str) -> Retriever:
        """Return the retriever of a version, loaded if need be; "" for the current one.

        Raises:
            SmarError: If there is no such release, or it cannot be loaded.
        """
        if release in {"", CURRENT, self.release}:
            return self._current
        with self._lock:
            if found := self._loaded.get(release):
                self._loaded.move_to_end(release)
                return found
        return self._load(release)

    def is_loaded(self, release: str) -> bool:
        """Return whether a version is in memory."""
        return release in {"", CURRENT, self.release} or release in self._loaded

    def versions(self) -> list[str]:
        """Return the versions on the disk, oldest first."""
        return versions(self._root)

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _load(self, release: str) -> Retriever:
        with self._loading:  # one at a time: a load takes memory and both cores
            with self._lock:
                if found := self._loaded.get(release):
                    return found
            retriever = Retriever.load(self._root, release, keep_items=True)
            self._prepare(retriever)
            retriever.hasten()
            retriever.answer_many([SearchRequest(query=text) for text in _WARM])
            retriever.answer_many([SearchRequest(facets=(_COUNTED,), limit=1)])
            retriever.suggest("a")
            if release != NONE:
                self._keep(retriever)
            return retriever

    def _keep(self, retriever: Retriever) -> None:
        with self._lock:
            self._loaded[retriever.release] = retriever
            self._loaded.move_to_end(retriever.release)
            answering = getattr(self, "_current", retriever).release
            for version in [v for v in self._loaded if v not in {answering, retriever.release}]:
                if len(self._loaded) <= max(self._kept, 1):
                    break
                del self._loaded[version]

    def _watch(self) -> None:
        while not self._stop.wait(self._watch_s):
            wanted = current_version(self._root)
            is_refused = self.refused is not None and self.refused.release == wanted
            if is_refused and time.monotonic() - self._refused_at < _AGAIN_S:
                continue
            if wanted and wanted != self.release:
                self._switch(wanted)
            elif wanted == self.release:
                self.refused = None

    def _switch(self, version: str) -> None:
        start = time.perf_counter()
        try:
            with self._lock:
                retriever = self._loaded.get(version)
            retriever = retriever or self._load(version)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one stays
            self.refused, self._refused_at = Refusal(version, str(error)), time.monotonic()
            logger.error("%s is refused, %s stays: %s", version, self.release, error)  # noqa: TRY400
            self._on_switch(version, False)
            return
        old, self._current, self.refused = self.release, retriever, None
        self._keep(retriever)
        spent = time.perf_counter() - start
        logger.info("%s -> %s after %.2f s", old or "working tree", version, spent)
        self._on_switch(version, True)
