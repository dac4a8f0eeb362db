"""One kept table by name, of the code that made it; whoever keeps one forgets those of other code.

FOLDER/NAME-KEY.arrow
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from smar.sources.kept_tables import ENDING, KeptTables, read_tables, write_tables
from smar.sources.quarantine import Quarantine


class KeptByName:
    """Tables by name, with what else there is to say of each: `FOLDER/NAME-KEY.arrow`.

    Args:
        folder: Where they are kept, None to keep none.
        key: Stands for the code that makes them.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder, self._key = folder, key
        self._opened = dict[str, KeptTables | None]()

    def read(self, name: str) -> KeptTables | None:
        """Return what an earlier run kept, None if nothing is there or it is damaged."""
        if self._folder is None:
            return None
        if name not in self._opened:
            self._opened[name] = read_tables(self._path(self._folder, name), 1)
        return self._opened[name]

    def write(self, name: str, table: pa.Table, about: Mapping[str, Any]) -> None:
        """Keep a table for the next run; this one reads what was kept before."""
        if self._folder is None:
            return
        path = self._path(self._folder, name)
        write_tables(path, [table.combine_chunks()], Quarantine(), about)
        others = f"{name}-{'?' * len(self._key)}{ENDING}"  # another name may begin like this one
        halves = self._folder.glob(f".{others}.tmp-*")  # of runs that were killed
        for file in (*self._folder.glob(others), *halves):
            if file != path:
                file.unlink(missing_ok=True)

    def _path(self, folder: Path, name: str) -> Path:
        return folder / f"{name}-{self._key}{ENDING}"
