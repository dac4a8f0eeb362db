"""A log that a service writes while it runs: whole lines, on the disk before they are acknowledged.

    .smar/events/ubi-2026-11-28-101502-4711-000001.ndjson   open: one file a day and process, locked
    data/raw/ubi/ubi-2026-11-28-101502-4711-000001.ndjson   closed, and never changed again

Only closed files are where ingest reads, so that no run hashes or reads a file that grows. A file
is closed at midnight (UTC), when it is large or old enough, and when the service stops; what a
killed process left open is closed by the next one, or by a living one beside it, without the line
that was cut.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from smar.service.event_files import (
    LogBusyError,
    LogFullError,
    OpenFile,
    adopt,
    log_files,
    size_of,
)

logger = logging.getLogger(__name__)

_CLOSE = "close"  # touched by who wants all open files closed
_TIDY_S = 60.0  # how often a living process looks for what a killed one left
_SYNC_S = 0.1  # between two times that what nobody waits for is brought to the disk


@dataclass(frozen=True, kw_only=True)
class LogLimits:
    """What a log may take.

    Args:
        file_bytes: A file is closed when it is as large.
        file_s: Or as old, in seconds.
        total_bytes: All files together, open and closed.
        free_bytes: What is left free on the disk for everything else.
        unsynced_bytes: What waits for the disk.
    """

    file_bytes: int = 256 << 20
    file_s: float = 86400.0
    total_bytes: int = 50 << 30
    free_bytes: int = 256 << 20
    unsynced_bytes: int = 64 << 20


class EventLog:
    """Appends records to the open file; safe to use from several threads.

    Args:
        folder: Where closed files go; below the folder that ingest reads.
        spool: Where open files are; on the same disk, else closing copies them.
        limits: What the log may take.
    """

    def __init__(self, folder: Path, spool: Path, limits: LogLimits | None = None) -> None:
        self.folder, self.spool, self.limits = folder, spool, limits or LogLimits()
        for path in (folder, spool):
            path.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._syncing = threading.Lock()  # held while a file is brought to the disk; then `_lock`
        self._file: OpenFile | None = None
        self._turned: list[tuple[OpenFile, int]] = []  # nothing goes there any more; to be closed
        self._written = self._synced = 0
        self._waiting: list[tuple[int, Future[None]]] = []
        self._is_closed = False
        self._look_for_room()
        self._tidy()
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
        self._thread.start()

    def append(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Write records, all or none, and return a ticket for `synced`.

        When it returns the operating system has them: a killed process loses none of them, a
        machine that goes down loses those that were not synced.

        Raises:
            LogFullError: If they do not fit.
            LogBusyError: If too much waits for the disk, or the log is closed.
        """
        lines = b"".join([orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in records])
        with self._lock:
            if self._is_closed:
                raise LogBusyError("the event log is closed: the service stops.")
            if self._written - self._synced > self.limits.unsynced_bytes:
                raise LogBusyError(f"{self.spool}: the disk does not keep up with the event log.")
            self._check_room(len(lines))
            if self._file is not None and self._file.size >= self.limits.file_bytes:
                self._turn()
                self._wake.notify()
            self._open_file().write(lines)
            self._written += len(lines)
            self._total += len(lines)
            self._free -= len(lines)
            return self._written

    def synced(self, ticket: int) -> "Future[None]":
        """Return what is done when everything up to a ticket is on the disk."""
        future: Future[None] = Future()
        with self._lock:
            if ticket <= self._synced:
                future.set_result(None)
            else:
                self._waiting.append((ticket, future))
                self._wake.notify()
        return future

    def close_file(self) -> Path | None:
        """Close the open file, so that ingest reads it, and return it; None if there is none.

        Who appends meanwhile does not wait for it.
        """
        with self._lock:
            file = self._file
            self._turn()
        closed = self._close_turned()
        if file is None or file in closed:
            return closed[file] if file else None
        path = self.folder / file.path.name  # another thread closed it
        return path if path.is_file() else None

    def close_all(self, timeout_s: float = 5.0) -> list[Path]:
        """Close the open files of all processes that share the spool, and return them.

        The others see within a second that it is asked for; what one has not closed after the
        timeout is left out.
        """
        asked = log_files(self.spool)
        (self.spool / _CLOSE).touch()
        self.close_file()
        until = time.monotonic() + timeout_s
        while any(path.exists() for path in asked) and time.monotonic() < until:
            adopt(self.spool, self.folder)
            time.sleep(0.05)
        closed = [self.folder / path.name for path in asked]
        return [path for path in closed if path.is_file()]

    def close(self) -> None:
        """Close the log; what was appended is on the disk and where ingest reads."""
        with self._lock:
            self._is_closed = True
            self._wake.notify()
        self._thread.join()
        self.close_file()

    @property
    def unsynced_bytes(self) -> int:
        """What waits for the disk."""
        return self._written - self._synced

    @property
    def total_bytes(self) -> int:
        """What all files of the log hold."""
        return self._total

    def room(self) -> str:
        """Return why nothing more can be written, "" if it can."""
        try:
            self._look_for_room()
            self._check_room(1)
        except (LogFullError, OSError) as error:
            return str(error)
        return ""

    def _look_for_room(self) -> None:
        """See what is free on the disk; what is written until the next look is taken off."""
        free = shutil.disk_usage(self.spool).free
        with self._lock:
            self._free = free

    def _check_room(self, size: int) -> None:
        if self._total + size > self.limits.total_bytes:
            raise LogFullError(
                f"{self.folder}: the event log holds {self._total} bytes, its limit is "
                f"{self.limits.total_bytes}. Move ingested files away, or raise the limit."
            )
        if self._free - size < self.limits.free_bytes:
            raise LogFullError(
                f"{self.spool}: {self._free} bytes are free on the disk, "
                f"{self.limits.free_bytes} are kept free. Free space on it."
            )

    def _open_file(self) -> "OpenFile":
        if self._file is None:
            self._file = OpenFile(self.spool)
        return self._file

    def _turn_if_due(self) -> None:
        if self._file is not None and (
            self._file.is_asked_for(self.spool / _CLOSE) or self._file.is_due(self.limits.file_s)
        ):
            self._turn()

    def _turn(self) -> None:
        """Have the open file closed, and the next records go to a new one; hold the lock."""
        if self._file is not None:
            self._turned.append((self._file, self._written))
            self._file = None

    def _close_turned(self) -> dict[OpenFile, Path]:
        """Close the files that nothing goes to any more, and return where they are."""
        closed: dict[OpenFile, Path] = {}
        with self._syncing:
            with self._lock:
                turned, self._turned = self._turned, []
            failed: OSError | None = None
            for file, upto in turned:
                error: Exception | None = None
                try:
                    closed[file] = file.close_into(self.folder)
                    logger.info("%s: closed, ingest can read it", closed[file])
                except OSError as failure:
                    failed, error = failure, LogFullError(f"{file.path}: {failure}")
                with self._lock:
                    self._settle(upto, error)
        if failed is not None:
            raise failed
        return closed

    def _tidy(self) -> None:
        """Take over what killed processes left, and see what all files hold by now."""
        adopt(self.spool, self.folder)
        with self._lock:
            self._total = sum(
                size_of(path) for path in (*log_files(self.folder), *log_files(self.spool))
            )
            self._tidied_at = time.monotonic()

    def _run(self) -> None:
        """Bring to the disk what was written since the last time, all of it at once.

        At once where somebody waits for it, else ten times a second.
        """
        while True:
            with self._lock:
                if not self._waiting and not self._turned and not self._is_closed:
                    self._wake.wait(_SYNC_S)
                if self._is_closed:
                    return
                self._turn_if_due()
                file, upto = self._file, self._written
            try:
                self._look_for_room()
                self._close_turned()
                if file is not None and upto > self._synced:
                    self._sync(file, upto)
                if time.monotonic() - self._tidied_at > _TIDY_S:
                    self._tidy()
            except OSError:
                logger.exception("%s: an event file could not be closed yet", self.spool)

    def _sync(self, file: "OpenFile", upto: int) -> None:
        try:
            with self._syncing:
                file.sync()
        except OSError as error:
            # What is on the disk after a failed fsync nobody knows: nothing more goes to this file,
            # and those who wait are told to send again.
            logger.exception("%s: cannot be brought to the disk", file.path)
            with self._lock:
                if self._file is file:
                    self._turn()
                upto = max([upto, *(end for each, end in self._turned if each is file)])
                self._turned = [each for each in self._turned if each[0] is not file]
                file.abandon()
                self._settle(upto, LogFullError(f"{file.path}: {error}"))
        else:
            with self._lock:
                self._settle(upto)

    def _settle(self, upto: int, error: Exception | None = None) -> None:
        self._synced = max(self._synced, upto)
        done = [future for ticket, future in self._waiting if ticket <= upto]
        self._waiting = [waiting for waiting in self._waiting if waiting[0] > upto]
        for future in done:
            if not future.set_running_or_notify_cancel():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
