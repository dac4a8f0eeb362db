"""What was found of the rows of tables, for a next run in which most of them are as they were.

    .smar/validation/facts/TABLE-KEY.arrow

A log grows at its end: what its first rows say of themselves and of each other stands, and only
rows that are new, with those that they meet, are looked at. Rows of a file whose bytes are those of
the run before are the same rows. Rules are judged anew in every run, so that their bounds are no
part of it. It may be deleted at any time; what is damaged, or was found by other code, is found
again.

Shapes: R rows of a table.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64, xxh3_128

from smar.closure import PARAMS, code_key
from smar.data.arrow_content import content_of
from smar.data.membership import in_one_piece
from smar.sources.kept_by_name import KeptByName
from smar.sources.kept_tables import KeptTables

_BLOCK = 65_536  # rows that are compared at once
_DIGITS = 32  # of the digest of a block, marks aside
_LIBRARIES = ("pyarrow", "pandas", "numpy", "PyStemmer")
_MODULES = ("items", "searches", "engagements", "queries", "previous")


class Standing(NamedTuple):
    """First rows of a table that are as they were, what is kept of them, whether none went."""

    rows: int
    facts: pa.Table
    is_all: bool


class KeptFacts:
    """Facts of the rows of tables, as an earlier run found them.

    Args:
        folder: Where they are kept, None to find all of them.
        files: SHA-256 of the files that tables were read from, by the names of the tables.
    """

    def __init__(
        self, folder: Path | None = None, files: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._is_kept, self._files = folder is not None, files
        self._blocks = dict[tuple[str, int, int], str]()
        self._opened = set[str]()
        modules = [f"smar.validation.{name}" for name in _MODULES]
        key = code_key([*modules, __name__], _LIBRARIES, but=PARAMS)[:16] if self._is_kept else ""
        self._kept = KeptByName(folder, key)

    def standing(
        self, name: str, table: pa.Table, beside: NDArray[np.bool_] | None = None
    ) -> Standing:
        """Return how many of the first rows of a table are as they were, and what is kept of these.

        Args:
            name: What is kept.
            table: The rows, [R]; other columns are other rows.
            beside: A mark of each row that counts as well, [R].
        """
        found = self._read(name)
        if found is None:
            return Standing(0, pa.table({}), is_all=True)
        rows, facts = self._same(name, found.facts["blocks"], table, beside), found.tables[0]
        return Standing(rows, facts.slice(0, rows), rows == len(facts))

    def of_all(self, name: str) -> pa.Table:
        """Return all that is kept, empty where nothing is."""
        found = self._read(name)
        return pa.table({}) if found is None else found.tables[0]

    def same_rows(
        self, name: str, of: str, table: pa.Table, beside: NDArray[np.bool_] | None = None
    ) -> int:
        """Return how many of the first rows of another table are what `keep` was told `beside`.

        Args:
            name: What is kept.
            of: The other table.
            table: Its rows, [R].
            beside: A mark of each, [R].
        """
        found = self._read(name)
        return 0 if found is None else self._same(of, found.facts["other"], table, beside)

    def told(self, name: str) -> str:
        """Return what else facts are of, "" where nothing is kept."""
        found = self._read(name)
        return "" if found is None else str(found.facts["told"])

    def of_files(self, name: str, tables: Collection[str]) -> pa.Table | None:
        """Return what `keep_of_files` kept, None unless the files of tables are what they were."""
        found = self._read(name)
        is_same = found is not None and found.facts.get("files") == self._digests(*tables)
        return found.tables[0] if found is not None and is_same else None

    def keep_of_files(
        self,
        name: str,
        facts: pa.Table,
        tables: Collection[str],
        other: tuple[str, pa.Table] | None = None,
        told: str = "",
    ) -> None:
        """Keep facts that follow from whole tables alone, and from nothing else but what is told.

        Args:
            name: What is kept.
            facts: The facts.
            tables: Names of the tables.
            other: Name and rows of the last of them, if `same_rows` is asked of it.
            told: What else they are of; who reads them asks for it.
        """
        if files := self._digests(*tables):
            blocks = self._told_of(*other) if other else []
            self.keep_all(name, facts, {"files": files, "other": blocks, "told": told})

    def are_of_same_files(self, names: Collection[str]) -> bool:
        """Return whether facts were kept of the same files, whichever these were."""
        found = [self._read(name) for name in names]
        files = [facts.facts.get("files") for facts in found if facts is not None]
        return len(files) == len(names) and all(each == files[0] for each in files)

    def keep(
        self,
        name: str,
        table: pa.Table,
        facts: pa.Table,
        other: tuple[str, pa.Table, NDArray[np.bool_]] | None = None,
        told: str = "",
    ) -> None:
        """Keep facts of all rows of a table for the next run.

        Args:
            name: What is kept.
            table: The rows, [R].
            facts: A row for each, [R].
            other: Name and rows of another table that the facts are of too, a mark of each row.
            told: What else they are of.
        """
        if not self._is_kept:
            return
        about = {
            "blocks": self._told_of(name, table),
            "other": self._told_of(*other) if other else [],
            "told": told,
            "files": self._digests(name, *other[:1]) if other else self._digests(name),
        }
        found = self._read(name)
        if found is not None and len(table) and found.facts == about:
            return
        self.keep_all(name, facts, about)

    def keep_all(self, name: str, facts: pa.Table, about: Mapping[str, Any] | None = None) -> None:
        """Keep facts that are of no rows of a table."""
        self._kept.write(name, facts, about or {})

    def _read(self, name: str) -> KeptTables | None:
        found = self._kept.read(name)
        if found is not None and name not in self._opened:
            self._opened.add(name)
            self._take_over(found.facts)
        return found

    def _digests(self, *tables: str) -> dict[str, str]:
        """Return the digests of the files of tables, empty where not all are known."""
        known = {name: self._files[name] for name in tables if name in self._files}
        return known if len(known) == len(tables) else {}

    def _take_over(self, about: Mapping[str, Any]) -> None:
        """Take digests of blocks from what was kept where the files of their tables are the same.

        Args:
            about: What `keep` wrote: the first file's blocks, and those of the other one.
        """
        files = about.get("files", {})
        of_both = (about.get("blocks", []), about.get("other", []))
        for name, blocks in zip(files, of_both, strict=False):
            if self._files.get(name) == files[name]:
                for (start, _), (end, digest) in pairwise([[0, ""], *blocks]):
                    self._blocks[name, start, end] = digest[:_DIGITS]

    def _told_of(
        self, name: str, table: pa.Table, beside: NDArray[np.bool_] | None = None
    ) -> list[list[Any]]:
        """Return the number of the last row, and the digest, of each block of a table."""
        ends = [min(start + _BLOCK, len(table)) for start in range(0, len(table), _BLOCK)]
        starts = range(0, len(table), _BLOCK)
        return [
            [b, self._digest(name, table, a, b, beside)] for a, b in zip(starts, ends, strict=True)
        ]

    def _same(
        self,
        name: str,
        blocks: list[list[Any]],
        table: pa.Table,
        beside: NDArray[np.bool_] | None,
    ) -> int:
        """Return the number of first rows that have the digests of blocks."""
        start = 0
        for end, known in blocks:
            if end > len(table) or self._digest(name, table, start, end, beside) != known:
                break
            start = end
        return start

    def _digest(
        self, name: str, table: pa.Table, start: int, end: int, beside: NDArray[np.bool_] | None
    ) -> str:
        """Return what stands for the rows of a block."""
        if (name, start, end) not in self._blocks:
            known = xxh3_128(repr(table.schema).encode())
            for column in table.slice(start, end - start).columns:
                for part in content_of(in_one_piece(column)):
                    known.update(part)
            self._blocks[name, start, end] = known.hexdigest()
        marks = b"" if beside is None else np.packbits(beside[start:end]).tobytes()
        return self._blocks[name, start, end] + xxh3_64(marks).hexdigest()
