"""What all routes share: the release that answers, the queue, the log, the keys and the counts."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from smar.errors import RequestError, SmarError
from smar.params import load_params
from smar.service.answer import Answer
from smar.service.event_log import EventLog, LogLimits
from smar.service.finding import ONNX
from smar.service.grades import Grades
from smar.service.hits import Page
from smar.service.http.batching import Batcher
from smar.service.http.keys import Keys
from smar.service.http.live import Live
from smar.service.http.log_folder import log_folder
from smar.service.http.metrics import Metrics
from smar.service.http.query_towers import QueryTowers
from smar.service.http.settings import Settings
from smar.service.http.threads import limit_thread, threads_of
from smar.service.registry import CURRENT
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.service.ubi import now, query_record

logger = logging.getLogger(__name__)

_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Ask:
    """A search on its way to an answer.

    Args:
        request: The search.
        client_id: Who asks, for the log; "" if unknown.
        is_logged: Whether it goes to the event log.
        filters: The filters as they were sent, for the log.
        retriever: The release that is to answer; None for whichever is current by then.
    """

    request: SearchRequest
    client_id: str = ""
    is_logged: bool = True
    filters: object = None
    retriever: Retriever | None = None


class Service:
    """A running service.

    Args:
        root: The project's root folder.
        settings: What it was told.

    Raises:
        SmarError: If there is nothing that could answer.
    """

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root, self.settings = root, settings
        self.metrics, self.keys = Metrics(), Keys(settings)
        params = load_params(root / "params.yaml").ingest
        raw = root / params.folder
        self.grades = Grades(root / ".smar" / "judgements.csv", raw / "judged" / "judgements.csv")
        self.towers = QueryTowers(root, settings.encoder)
        self.live = Live(
            root,
            settings.release,
            watch_s=settings.watch_s,
            kept=settings.releases_kept,
            on_switch=lambda release, taken: self.metrics.switched(release, is_taken=taken),
            prepare=self.towers.give,
        )
        self.metrics.switched(self.live.release, is_taken=True)
        self.log = self._open_log() if settings.log else None
        begin = partial(limit_thread, threads_of(settings))
        self.batcher: Batcher[Ask, Answer] = Batcher(
            self._answer,
            max_waiting=settings.max_waiting,
            max_batch=settings.max_batch,
            deadline_s=settings.deadline_s,
            begin=begin,
            is_quick=_is_quick,
            told=self._count,
        )
        # For pictures, files, and releases to compare with.
        self.pool = ThreadPoolExecutor(2, "slow", initializer=begin)
        self.metrics.watch(
            {
                self.metrics.waiting: lambda: self.batcher.waiting,
                self.metrics.unsynced: lambda: self.log.unsynced_bytes if self.log else 0,
                self.metrics.log_size: lambda: self.log.total_bytes if self.log else 0,
                self.metrics.by_onnx: lambda: self.live.current.tower.runtime == ONNX,
            }
        )
        self.is_stopping = False

    def _open_log(self) -> EventLog:
        settings = self.settings
        limits = LogLimits(
            file_bytes=settings.log_file_mb * _MIB,
            file_s=settings.log_file_s,
            total_bytes=int(settings.log_total_gb * _GIB),
            free_bytes=int(settings.log_free_mb * _MIB),
        )
        folder, _ = log_folder(self.root, settings.log_folder)
        return EventLog(folder, self.root / ".smar" / "events", limits)

    def close(self) -> None:
        """Answer what waits, and bring the log to where ingest reads it."""
        self.is_stopping = True
        self.batcher.close()
        self.live.close()
        self.towers.close()
        self.pool.shutdown()
        if self.log is not None:
            self.log.close()

    def _answer(self, asks: list[Ask]) -> Sequence[Answer | Exception]:
        """Return the answers to a batch, each of one release, after they were logged."""
        current = self.live.current  # once: no batch is answered by two releases
        groups: dict[int, tuple[Retriever, list[int]]] = {}
        for number, ask in enumerate(asks):
            retriever = ask.retriever or current
            groups.setdefault(id(retriever), (retriever, []))[1].append(number)
        found: dict[int, Answer | Exception] = {}
        for retriever, numbers in groups.values():
            requests = [_named(asks[number].request, retriever) for number in numbers]
            found |= zip(numbers, _answers(retriever, requests), strict=True)
        told = [found[number] for number in range(len(asks))]
        self._record(asks, told)
        return told

    def _count(self, asks: list[Ask], told: Sequence[Answer | Exception]) -> None:
        answers = [answer for answer in told if not isinstance(answer, Exception)]
        self.metrics.see(len(asks), answers)

    def _record(self, asks: list[Ask], told: Sequence[Answer | Exception]) -> None:
        at = now()
        records = [
            _record_of(ask, answer, at)
            for ask, answer in zip(asks, told, strict=True)
            if not isinstance(answer, Exception)
            and (ask.is_logged and answer.query and answer.limit)
        ]
        if not records or self.log is None:
            return
        try:
            self.log.append(records)
            self.metrics.recorded(len(records))
        except SmarError as error:
            # A shopper is answered all the same; the counts and /readyz tell.
            self.metrics.unlogged.inc(len(records))
            logger.warning("%d searches were answered without a record: %s", len(records), error)


def _is_quick(ask: Ask) -> bool:
    return ask.retriever is None and ask.request.is_plain


def _named(request: SearchRequest, retriever: Retriever) -> SearchRequest:
    """Return a request that names the release that answers it, however it was called."""
    return replace(request, release=retriever.release) if request.release else request


def _answers(
    retriever: Retriever, requests: Sequence[SearchRequest]
) -> Sequence[Answer | Exception]:
    """Return the answers to a batch; where one cannot be answered, each by itself."""
    try:
        return retriever.answer_many(requests)
    except RequestError as error:
        if len(requests) == 1:
            return [error]
        return [answer for request in requests for answer in _answers(retriever, [request])]


def _record_of(ask: Ask, answer: Answer, at: str) -> dict[str, Any]:
    attributes = {
        "release": answer.release or "none",
        "offset": answer.offset,
        "limit": answer.limit,
        "total": answer.total,
        "sort": ask.request.sort,
        "collapse": ask.request.collapse,
        "gate": round(answer.gate, 6),
        "shares": answer.shares.as_dict(),
        **({"filters": ask.filters} if ask.filters else {}),
    }
    hits = answer.hits
    shown = hits.item_ids if isinstance(hits, Page) else [hit.item_id for hit in hits]
    return query_record(
        answer.query_id, answer.query, shown, client_id=ask.client_id, attributes=attributes, at=at
    )


def is_current(release: str) -> bool:
    """Return whether a request leaves the release to the service."""
    return release in {"", CURRENT}
