"""One kept table by name, of the code that made it; whoever keeps one forgets those of other code.

    FOLDER/NAME-KEY.arrow             the table
    FOLDER/NAME-KEY-CHECKSUM.arrow    its head, where most rows are as an earlier run wrote them

A table that grew at its end is not written whole: the file of before becomes its head, and the
other has the rows that follow. Where less than `_LEAST` of the rows stand it is written whole.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from smar.replace import linked
from smar.sources.kept_tables import ENDING, KeptTables, checksum_of, read_tables, write_tables
from smar.sources.quarantine import Quarantine

_BLOCK = 65_536  # rows that are compared at once
_LEAST = 0.75  # of the rows of a table that a head must have
_HEAD = "head"
_DIGITS = 32  # of a checksum


class _Head(NamedTuple):
    """A file that may be the head of a table, what it says at its end, and its rows."""

    file: Path
    checksum: str
    table: pa.Table

    def is_there(self, whole: Path) -> bool:
        """Return whether the file is there; it may still be that of the whole table alone."""
        try:
            is_put = self.file.exists() or linked(whole, self.file)
            return is_put and checksum_of(self.file) == self.checksum  # `whole` may be another now
        except OSError:  # another run removed it
            return False


class KeptByName:
    """Tables by name, with what else there is to say of each: `FOLDER/NAME-KEY.arrow`.

    Args:
        folder: Where they are kept, None to keep none.
        key: Stands for the code that makes them.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder, self._key = folder, key
        self._opened = dict[str, KeptTables | None]()
        self._heads = dict[str, _Head]()

    def read(self, name: str) -> KeptTables | None:
        """Return what an earlier run kept, None if nothing is there or it is damaged."""
        if self._folder is None:
            return None
        if name not in self._opened:
            self._opened[name] = self._read(self._folder, name)
        return self._opened[name]

    def write(self, name: str, table: pa.Table, about: Mapping[str, Any]) -> None:
        """Keep a table for the next run; this one reads what was kept before."""
        if self._folder is None:
            return
        path, table = self._path(self._folder, name), table.combine_chunks()
        used, head = {path}, self._heads.get(name)
        stands = 0 if head is None else _standing(head.table, table)
        if head is not None and stands > _LEAST * len(table) and head.is_there(path):
            used.add(head.file)
            table, about = table.slice(stands), {**about, _HEAD: [head.file.name, stands]}
        write_tables(path, [table], Quarantine(), about)
        # Another name may begin like this one; halves are of runs that were killed.
        any_key, any_head = f".{{{len(self._key)}}}", f"(-.{{{_DIGITS}}})?"
        ending = rf"{re.escape(ENDING)}(\.tmp-.*)?"
        mine = re.compile(rf"\.?{re.escape(name)}-{any_key}{any_head}{ending}")
        for file in self._folder.iterdir() if self._folder.is_dir() else ():
            if mine.fullmatch(file.name) and file not in used:
                file.unlink(missing_ok=True)

    def _read(self, folder: Path, name: str) -> KeptTables | None:
        path = self._path(folder, name)
        found = read_tables(path, 1)
        if found is None:
            return None
        table, facts, of = found.tables[0], dict(found.facts), found
        file, rows = facts.pop(_HEAD, ("", 0))
        if file:
            head = read_tables(path.with_name(file), 1)
            if head is None or head.checksum != file.removesuffix(ENDING).rpartition("-")[2]:
                return None
            of, table = head, pa.concat_tables([head.tables[0].slice(0, rows), table])
        place = path.with_name(f"{path.name.removesuffix(ENDING)}-{of.checksum}{ENDING}")
        self._heads[name] = _Head(place, of.checksum, of.tables[0])
        return found._replace(tables=[table], facts=facts)

    def _path(self, folder: Path, name: str) -> Path:
        return folder / f"{name}-{self._key}{ENDING}"


def _standing(before: pa.Table, now: pa.Table) -> int:
    """Return how many of the first rows are those of before, in whole blocks."""
    most = min(len(before), len(now)) // _BLOCK * _BLOCK
    for start in range(0, most, _BLOCK):
        if not before.slice(start, _BLOCK).equals(now.slice(start, _BLOCK)):
            return start
    return most
