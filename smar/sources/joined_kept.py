"""A log as an earlier run joined it, where its files and the ids of the items are what they were.

    .smar/joined/    what there is to say of the last log: its texts, and what `log_grown` needs
    .smar/tables/    its searches and engagements (`kept_outputs`)

Where files came after all others the log of before goes on with them. Both folders may be deleted
at any time; what is damaged is joined anew.
"""

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from smar.closure import PARAMS, code_key
from smar.data import schema
from smar.data.arrow_content import digest_of
from smar.data.lookup import is_among
from smar.data.membership import in_one_piece
from smar.params import LogParams
from smar.sources.kept_outputs import KeptOutputs, Output
from smar.sources.kept_tables import ENDING, forget_others, read_tables, write_tables
from smar.sources.log_files import FILES
from smar.sources.log_grown import JoinedLog, grown, joined_whole
from smar.sources.log_kept import LogPart, joined
from smar.sources.positions import Votes
from smar.sources.quarantine import Quarantine
from smar.sources.raw_log import RawLog
from smar.sources.search_log import LogFacts, read_raw
from smar.sources.ubi import UbiFiles

_LIBRARIES = ("pandas", "pyarrow", "numpy", "orjson")
_KEPT_KIND = "ubi"  # the one that days are added to


class LogTables(NamedTuple):
    """A log as ingest writes it.

    Args:
        searches: As `schema.SEARCHES`.
        engagements: As `schema.ENGAGEMENTS`.
        texts: As `query_table.TEXTS`.
        facts: What there is to say of its reading.
        key: What stands for the log and the way in which it is read, "" if nothing does.
    """

    searches: Output
    engagements: Output
    texts: pa.Table
    facts: LogFacts
    key: str = ""


class _File(NamedTuple):
    """A file of a log: what stands for it, and how many rows it has of searches and of events."""

    key: str
    queries: int
    events: int

    @classmethod
    def of(cls, key: str, part: LogPart) -> "_File":
        """Return what is kept of a file."""
        return cls(key, len(part.log.queries.table()), len(part.log.events.table()))


class _Kept(NamedTuple):
    """A log that was joined, but for the tables that outputs have.

    Args:
        key: What stands for it.
        files: Its files, in their order.
        told: The rest of `JoinedLog`, by name.
    """

    key: str
    files: list[_File]
    told: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "_Kept | None":
        """Return what `write` kept, None if nothing is there or it is damaged."""
        found = read_tables(path, 3)
        if found is None:
            return None
        texts, other_ids, strays = found.tables
        told = found.facts
        return cls(
            path.name.removesuffix(ENDING).rpartition("-")[2],
            [_File(*file) for file in told["files"]],
            {
                "texts": texts,
                "other_ids": other_ids,
                "strays": strays,
                "votes": {name: Votes(**votes) for name, votes in told["votes"].items()},
                "tellers": tuple(told["tellers"]),
                "depends": told["depends"],
                "facts": LogFacts(**told["facts"]),
                "quarantine": found.quarantine,
            },
        )

    def write(self, folder: Path, how: str) -> None:
        """Keep it; what else is in the folder goes.

        Args:
            folder: Where it is kept.
            how: What stands for the way in which it was read and joined, and for the items.
        """
        told = dict(self.told)
        tables = [told.pop(name) for name in ("texts", "other_ids", "strays")]
        quarantine = told.pop("quarantine")
        votes = {name: asdict(votes) for name, votes in told["votes"].items()}
        told |= {"votes": votes, "facts": asdict(told["facts"])}
        told |= {"files": self.files}
        name = f"{how}-{self.key}"
        write_tables(folder / f"{name}{ENDING}", tables, quarantine, told)
        forget_others(folder, {name})


def kept_log(
    folder: Path,
    params: LogParams,
    item_ids: pa.Array,
    quarantine: Quarantine,
    kept: Path | None,
    outputs: KeptOutputs,
) -> LogTables:
    """Return a log, of which only that is joined that no earlier run joined.

    Args:
        folder: The folder of the source.
        params: The section `ingest.log`.
        item_ids: Ids that exist, in the order of the feed.
        quarantine: Takes bad rows.
        kept: The folder of what is kept, in which the log has two of its own; None to read all.
        outputs: Tables that are kept.

    Raises:
        DataError: If a file is missing, unreadable or lacks a column.
    """
    of_files = None if kept is None else kept / "log"
    if kept is None or params.kind != _KEPT_KIND:
        own = Quarantine()
        raw = read_raw(folder, params, own, of_files)
        log = joined_whole(raw, params, item_ids, own)
        found = LogTables(Output(log.searches), Output(log.engagements), log.texts, log.facts)
    else:
        files = UbiFiles(folder, params, of_files)
        joins = _Joins(files, params, item_ids, kept / "joined", outputs)
        own, found = joins.log()
        files.forget_others()
    quarantine.add(own)
    found.facts.tell()
    return found


class _Joins:
    """The log that files are: as it was joined before, or gone on with, or joined as a whole."""

    def __init__(
        self,
        files: UbiFiles,
        params: LogParams,
        item_ids: pa.Array,
        folder: Path,
        outputs: KeptOutputs,
    ) -> None:
        self._files, self._params, self._item_ids = files, params, item_ids
        self._folder, self._outputs = folder, outputs
        self._keys = [files.key(path) for path in files.paths]
        told = params.model_dump_json() + digest_of(item_ids)
        self._how = code_key([__name__], _LIBRARIES, told, but=PARAMS)[:16]
        self._key = sha256("\n".join([self._how, *self._keys]).encode()).hexdigest()[:32]

    def log(self) -> tuple[Quarantine, LogTables]:
        """Return what was left out, and the tables."""
        earlier = self._earlier()
        tables = self._tables_of(earlier) if earlier else None
        if earlier and tables and earlier.key == self._key:
            told = earlier.told
            made = LogTables(*tables, told["texts"], told["facts"], self._key)
            return told["quarantine"], made
        joined_log = earlier and tables and self._gone_on(earlier, tables)
        log, files = joined_log or self._whole()
        key = "" if _is_cut(log.quarantine) else self._key  # its reader warns of it, each time
        made = LogTables(
            self._outputs.keep("searches", key, log.searches),
            self._outputs.keep("engagements", key, log.engagements),
            log.texts,
            log.facts,
            key,
        )
        if key:
            told = dict(vars(log))
            del told["searches"], told["engagements"]
            _Kept(key, files, told).write(self._folder, self._how)
        return log.quarantine, made

    def _earlier(self) -> _Kept | None:
        """Return the last log that was joined in this way."""
        kept = (_Kept.read(path) for path in self._folder.glob(f"{self._how}-*{ENDING}"))
        found = [one for one in kept if one]
        return min(found, key=lambda one: one.key != self._key, default=None)

    def _tables_of(self, earlier: _Kept) -> tuple[Output, Output] | None:
        searches = self._outputs.find("searches", earlier.key)
        engagements = self._outputs.find("engagements", earlier.key)
        return None if searches is None or engagements is None else (searches, engagements)

    def _whole(self) -> tuple[JoinedLog, list[_File]]:
        own = Quarantine()
        parts = [self._files.part(path) for path in self._files.paths]
        log = joined_whole(joined(parts, own), self._params, self._item_ids, own)
        return log, [_File.of(*both) for both in zip(self._keys, parts, strict=True)]

    def _gone_on(
        self, earlier: _Kept, tables: tuple[Output, Output]
    ) -> tuple[JoinedLog, list[_File]] | None:
        """Return the log, gone on with; None where it has to be joined as a whole."""
        is_new = _are_new(self._keys, [file.key for file in earlier.files])
        if is_new is None:
            return None
        both = list(zip(self._files.paths, is_new, strict=True))
        parts = [self._files.part(path) for path, new in both if new]
        old, new = iter(earlier.files), iter(parts)
        files = [
            _File.of(key, next(new)) if of_new else next(old)
            for key, of_new in zip(self._keys, is_new, strict=True)
        ]
        for counts in ([file.queries for file in files], [file.events for file in files]):
            of_new = [new for new, count in zip(is_new, counts, strict=True) if count]
            if of_new != sorted(of_new):
                return None  # rows of a new file come before others
        own = Quarantine()
        raw = joined(parts, own)
        if _is_cut(own):
            return None
        columns = (schema.SEARCHES, schema.ENGAGEMENTS)  # a file has other names within lists
        searches, engagements = (
            output.table.cast(of_table) for output, of_table in zip(tables, columns, strict=True)
        )
        log = JoinedLog(searches=searches, engagements=engagements, **earlier.told)

        def rows_of(ids: pa.Array) -> RawLog:
            rows = RawLog()
            for path in (path for path, new in both if not new):
                part = self._files.part(path).log
                for column, given in ((rows.queries, part.queries), (rows.events, part.events)):
                    table = given.table()
                    column.extend(table.filter(is_among(in_one_piece(table["search_id"]), ids)))
            return rows

        gone_on = grown(log, raw, rows_of, self._params, self._item_ids, own)
        return None if gone_on is None else (gone_on, files)


def _is_cut(quarantine: Quarantine) -> bool:
    """Return whether a file broke off."""
    return FILES in quarantine.totals or bool((quarantine.frame()["source"] == FILES).any())


def _are_new(keys: Sequence[str], before: Sequence[str]) -> list[bool] | None:
    """Return which keys are not those of before; None if one of these is gone, or moved."""
    found, place = [], 0
    for key in keys:
        is_old = place < len(before) and key == before[place]
        place += is_old
        found.append(not is_old)
    return found if place == len(before) and any(found) else None
