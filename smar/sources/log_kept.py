"""Files of a log that an earlier run read: known by content, name and the way they are read.

A log grows by a file a day, and what its other files say stays as it was. `.smar/log/` keeps what
each said, in Arrow's stream format, with a checksum at its end; it may be deleted at any time. What
is damaged is read anew.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from smar.closure import PARAMS, code_key
from smar.sources.log_files import FILES
from smar.sources.quarantine import QUARANTINE, Quarantine
from smar.sources.raw_log import EVENTS, QUERIES, RawLog

logger = logging.getLogger(__name__)

_ENDING = ".arrow"
_LIBRARIES = ("orjson", "pyarrow", "pandas", "openpyxl")
_DIGEST_BYTES = 32
_FACTS = b"facts"


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
        self._used: set[str] = set()
        self._how = b"" if folder is None else _how(reader, settings)

    def part(self, path: Path, read: Callable[[], LogPart], *about: str) -> LogPart:
        """Return what a file says, reading it only if no earlier run did.

        Args:
            path: The file.
            read: Reads it.
            *about: What else decides what it says.
        """
        if self._folder is None:
            return read()
        with path.open("rb") as file:
            content = file_digest(file, "sha256").digest()
        key = sha256(self._how + repr((content, path.name, about)).encode()).hexdigest()[:32]
        self._used.add(key)
        kept = self._folder / f"{key}{_ENDING}"
        part = _read(kept)
        if part is None:
            part = read()
            _write(kept, part)
        else:
            _say(path, part)
        return part

    def forget_others(self) -> None:
        """Remove what this run did not use: files that are gone, or were read in another way."""
        if self._folder is None or not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            if file.name.removesuffix(_ENDING) not in self._used:
                file.unlink(missing_ok=True)


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
    """Keep a part; a disk without room is no error here."""
    facts = {
        "others": dict(part.log.others),
        "notes": dict(part.log.notes),
        "totals": part.quarantine.totals,
    }
    left_out = pa.Table.from_pandas(part.quarantine.frame(), QUARANTINE, preserve_index=False)
    tables = [part.log.queries.table(), part.log.events.table(), left_out]
    tables[0] = tables[0].replace_schema_metadata({_FACTS: json.dumps(facts)})
    sink = pa.BufferOutputStream()
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    content = sink.getvalue()
    # Neither flushed nor locked: the checksum tells what a power cut or a second run left behind.
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.write(sha256(content).digest())
        temporary.replace(path)
    except OSError as error:
        logger.warning("%s: what was read is not remembered: %s", path, error)
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> LogPart | None:
    """Return what `_write` kept, None if nothing is there or it is damaged."""
    if not path.is_file():
        return None
    try:
        with pa.memory_map(str(path)) as file:
            whole = file.read_buffer()
        content = whole.slice(0, max(0, whole.size - _DIGEST_BYTES))
        if sha256(content).digest() != whole[len(content) :].to_pybytes():
            raise pa.ArrowInvalid("its checksum does not fit")
        source = pa.BufferReader(content)
        queries, events, left_out = (pa.ipc.open_stream(source).read_all() for _ in range(3))
        facts = json.loads(queries.schema.metadata[_FACTS])
        if not (queries.schema.equals(QUERIES) and events.schema.equals(EVENTS)):
            raise pa.ArrowInvalid("it has other columns")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: is read anew: %s", path, error)
        return None
    part = LogPart(RawLog(others=Counter(facts["others"]), notes=Counter(facts["notes"])))
    part.log.queries.extend(queries.replace_schema_metadata())
    part.log.events.extend(events)
    part.quarantine.totals.update(facts["totals"])
    part.quarantine.add(Quarantine({}, [left_out.to_pandas()] if len(left_out) else []))
    return part
