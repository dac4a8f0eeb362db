"""What Prometheus reads of the service."""

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from smar.service.answer import Answer

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_MOST_WAITING = 1000  # requests that are not counted yet
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class _Batch(NamedTuple):
    """What is counted of searches that were answered together."""

    searches: int
    empty: int
    weak: int
    gates: list[float]
    milliseconds: dict[str, float]


class Metrics:
    """Counts of one service; a registry of its own, so that several may live in a process.

    Where several processes serve, each counts into files of one folder, which the client library
    does as the environment tells it (`workers.COUNTS`), and `text` tells of all together.

    Requests and searches are noted, and counted together when somebody looks, once a second, or
    when many wait: beside a search each count would find the caches full of other things.
    """

    def __init__(self) -> None:
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
        self._watched: dict[Gauge, Callable[[], float]] = {}
        self._releases: set[str] = set()
        self._counting = threading.Lock()
        self._requests: deque[tuple[str, int, float]] = deque()
        self._batches: deque[_Batch] = deque()
        self._records: deque[int] = deque()
        # To look a label up takes longer than to count.
        self._of_part: dict[str, Histogram] = {}
        self._of_route: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "smar_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "smar_request_seconds", "From the first byte to the last.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.parts = Histogram(
            "smar_search_part_seconds", "Of searches answered together, by part.", ["part"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.batch = Histogram(
            "smar_batch_searches", "Searches answered together.", buckets=_SIZES, registry=registry
        )
        self.workers = Gauge(
            "smar_workers", "Processes that answer.", registry=registry, multiprocess_mode="livesum"
        )
        self.waiting = Gauge(
            "smar_queue_searches", "Searches that wait.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.release = Gauge(
            "smar_release", "Processes in which this release answers.", ["release"],
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.switches = Counter(
            "smar_release_switches", "Releases that took over, or were refused.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.by_onnx = Gauge(
            "smar_query_tower_onnx", "Processes in which ONNX Runtime encodes queries, not torch.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.empty = Counter("smar_searches_empty", "Searches without a hit.", registry=registry)
        self.weak = Counter(
            "smar_searches_weak", "Searches whose best hit is more likely irrelevant.",
            registry=registry,
        )  # fmt: skip
        self.gate = Histogram(
            "smar_search_gate", "How much the picture counts, by search.",
            buckets=_SHARES, registry=registry,
        )  # fmt: skip
        self.logged = Counter(
            "smar_log_records", "Records of the event log.", ["kind"], registry=registry
        )
        self._logged_searches = self.logged.labels("search")
        self.unlogged = Counter(
            "smar_log_refused", "Searches answered without a record.", registry=registry
        )
        self.unsynced = Gauge(
            "smar_log_unsynced_bytes", "Waiting for the disk.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.log_size = Gauge(
            "smar_log_bytes", "All files of the event log.",
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip

    def watch(self, gauges: Mapping[Gauge, Callable[[], float]]) -> None:
        """Ask for the values of gauges when they are read, or `refresh` is called."""
        self._watched |= gauges
        self.workers.set(1)

    def refresh(self) -> None:
        """Count what was noted, and look at what is watched; others read what was seen last."""
        self._count()
        for gauge, value in self._watched.items():
            gauge.set(value())

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests.append((route, status, seconds))
        if len(self._requests) > _MOST_WAITING:
            self._count()

    def see(self, searches: int, answers: Sequence[Answer]) -> None:
        """Note the answers of one batch; the parts of its time were those of each.

        Args:
            searches: How many were asked together.
            answers: Of those that could be answered.
        """
        spent: dict[str, float] = {}
        for answer in answers:
            spent |= answer.milliseconds
        empty = sum(not answer.total for answer in answers)
        weak = sum(answer.is_weak for answer in answers if answer.total)
        gates = [answer.gate for answer in answers if answer.query]
        self._batches.append(_Batch(searches, empty, weak, gates, spent))

    def recorded(self, searches: int) -> None:
        """Note searches that are in the event log."""
        self._records.append(searches)

    def _count(self) -> None:
        """Count what was noted."""
        with self._counting:
            while self._requests:
                self._count_request(*self._requests.popleft())
            while self._batches:
                self._count_batch(self._batches.popleft())
            while self._records:
                self._logged_searches.inc(self._records.popleft())

    def _count_request(self, route: str, status: int, seconds: float) -> None:
        if (route, status) not in self._of_route:
            counts = self.requests.labels(route, str(status)), self.seconds.labels(route)
            self._of_route[route, status] = counts
        requests, spent = self._of_route[route, status]
        requests.inc()
        spent.observe(seconds)

    def _count_batch(self, batch: _Batch) -> None:
        self.batch.observe(batch.searches)
        self.empty.inc(batch.empty)
        self.weak.inc(batch.weak)
        for gate in batch.gates:
            self.gate.observe(gate)
        for part, milliseconds in batch.milliseconds.items():
            if part not in self._of_part:
                self._of_part[part] = self.parts.labels(part)
            self._of_part[part].observe(milliseconds / 1000)

    def switched(self, release: str, *, is_taken: bool) -> None:
        """Count a switch of the release, or one that was refused."""
        self.switches.labels("taken" if is_taken else "refused").inc()
        if is_taken:
            self._releases.add(release or "none")
            for known in self._releases:
                self.release.labels(known).set(known == (release or "none"))

    def text(self) -> bytes:
        """Return everything in Prometheus's format, of all processes that serve together."""
        self.refresh()
        if not self._folder:
            return generate_latest(self.registry)
        _forget_the_dead(Path(self._folder))
        together = CollectorRegistry()
        MultiProcessCollector(together, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_the_dead(folder: Path) -> None:
    """Take the gauges of processes that ended out; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        pid = path.stem.rpartition("_")[2]
        if not Path("/proc", pid).exists():
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
