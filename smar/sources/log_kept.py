"""Files of a log that an earlier run read: known by content, name and the way they are read.

A log grows by a file a day, and what its other files say stays as it was. `.smar/log/` keeps what
each said, in Arrow's stream format, with a checksum at its end; it may be deleted at any time. What
is damaged is read anew.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from smar.closure import PARAMS, code_key
from smar.sources.kept_tables import ENDING, forget_others, read_tables, write_tables
from smar.sources.log_files import FILES
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import EVENTS, QUERIES, RawLog

logger = logging.getLogger(__name__)

_LIBRARIES = ("orjson", "pyarrow", "pandas", "openpyxl")


@dataclass(frozen=True)
class LogPart:
    """What one file of a log says, and what of it was left out."""

    log: RawLog = field(default_factory=RawLog)
    quarantine: Quarantine = field(default_factory=Quarantine)


class KeptLog:
    """What files of a log said when they were read first.

    Args:
        folder: Where it is kept, None to read every file.
        reader: Module of the reader: its code, and all that it needs, is part of what is kept.
        settings: What the reader was told.
    """

    def __init__(self, folder: Path | None = None, reader: str = "", settings: Any = None) -> None:
        self._folder = folder
        self._keys: dict[tuple[Path, tuple[str, ...]], str] = {}
        self._how = b"" if folder is None else _how(reader, settings)

    def key(self, path: Path, *about: str) -> str:
        """Return what stands for a file and the way in which it is read; what is kept of it stays.

        Args:
            path: The file.
            *about: What else decides what it says.
        """
        told = (path, about)
        if told not in self._keys:
            with path.open("rb") as file:
                content = file_digest(file, "sha256").digest()
            known = self._how + repr((content, path.name, about)).encode()
            self._keys[told] = sha256(known).hexdigest()[:32]
        return self._keys[told]

    def part(self, path: Path, read: Callable[[], LogPart], *about: str) -> LogPart:
        """Return what a file says, reading it only if no earlier run did.

        Args:
            path: The file.
            read: Reads it.
            *about: What else decides what it says.
        """
        if self._folder is None:
            return read()
        kept = self._folder / f"{self.key(path, *about)}{ENDING}"
        part = _read(kept)
        if part is None:
            part = read()
            _write(kept, part)
        else:
            _say(path, part)
        return part

    def forget_others(self) -> None:
        """Remove what this run did not use: files that are gone, or were read in another way."""
        if self._folder is not None:
            forget_others(self._folder, set(self._keys.values()))


def joined(parts: Iterable[LogPart], quarantine: Quarantine) -> RawLog:
    """Return the log that files are, in their order; what they left out goes to the quarantine."""
    log = RawLog()
    for part in parts:
        log.queries.extend(part.log.queries.table())
        log.events.extend(part.log.events.table())
        log.others += part.log.others
        log.notes += part.log.notes
        quarantine.add(part.quarantine)
    return log


def _how(reader: str, settings: Any) -> bytes:
    """Return what stands for the way in which files are read."""
    return code_key([reader, __name__], _LIBRARIES, repr(settings), but=PARAMS).encode()


def _say(path: Path, part: LogPart) -> None:
    """Warn of a file that broke off, as its reader did."""
    if part.quarantine.is_empty:
        return
    frame = part.quarantine.frame()
    for reason in frame["reason"][(frame["source"] == FILES) & (frame["column"] == "file")]:
        logger.warning("%s: %s", path, reason)


def _write(path: Path, part: LogPart) -> None:
    facts = {"others": dict(part.log.others), "notes": dict(part.log.notes)}
    write_tables(path, [part.log.queries.table(), part.log.events.table()], part.quarantine, facts)


def _read(path: Path) -> LogPart | None:
    """Return what `_write` kept, None if nothing is there or it is damaged."""
    kept = read_tables(path, 2)
    if kept is None:
        return None
    queries, events = kept.tables
    if not (queries.schema.equals(QUERIES) and events.schema.equals(EVENTS)):
        logger.warning("%s: is read anew: it has other columns", path)
        return None
    others, notes = (Counter[str](kept.facts[name]) for name in ("others", "notes"))
    part = LogPart(RawLog(others=others, notes=notes), kept.quarantine)
    part.log.queries.extend(queries)
    part.log.events.extend(events)
    return part
