"""What Prometheus reads of the service."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from smar.service.answer import Answer

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Metrics:
    """Counts of one service; a registry of its own, so that several may live in a process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "smar_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "smar_request_seconds", "From the first byte to the last.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.parts = Histogram(
            "smar_search_part_seconds", "Of a search, by part.", ["part"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.batch = Histogram(
            "smar_batch_searches", "Searches answered together.", buckets=_SIZES, registry=registry
        )
        self.waiting = Gauge("smar_queue_searches", "Searches that wait.", registry=registry)
        self.release = Gauge(
            "smar_release", "1 for the release that answers.", ["release"], registry=registry
        )
        self.switches = Counter(
            "smar_release_switches", "Releases that took over, or were refused.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.by_onnx = Gauge(
            "smar_query_tower_onnx", "1 if ONNX Runtime encodes queries, 0 if torch does.",
            registry=registry,
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
        self.unlogged = Counter(
            "smar_log_refused", "Searches answered without a record.", registry=registry
        )
        self.unsynced = Gauge("smar_log_unsynced_bytes", "Waiting for the disk.", registry=registry)
        self.log_size = Gauge("smar_log_bytes", "All files of the event log.", registry=registry)

    def watch(
        self,
        waiting: Callable[[], float],
        unsynced: Callable[[], float],
        log_size: Callable[[], float],
        by_onnx: Callable[[], float],
    ) -> None:
        """Ask for the gauges' values when they are read."""
        self.waiting.set_function(waiting)
        self.unsynced.set_function(unsynced)
        self.log_size.set_function(log_size)
        self.by_onnx.set_function(by_onnx)

    def see(self, answer: Answer) -> None:
        """Count an answer."""
        for part, milliseconds in answer.milliseconds.items():
            self.parts.labels(part).observe(milliseconds / 1000)
        if answer.query:
            self.gate.observe(answer.gate)
        if not answer.total:
            self.empty.inc()
        elif answer.is_weak:
            self.weak.inc()

    def switched(self, release: str, *, is_taken: bool) -> None:
        """Count a switch of the release, or one that was refused."""
        self.switches.labels("taken" if is_taken else "refused").inc()
        if is_taken:
            self.release.clear()
            self.release.labels(release or "none").set(1)

    def text(self) -> bytes:
        """Return everything in Prometheus's format."""
        return generate_latest(self.registry)
