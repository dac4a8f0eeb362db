"""Tables as ingest wrote them, which the next run may put in their place again: `.smar/tables/`.

A file's name says what table it is, what it was made of, and its SHA-256; what is not as its name
says is not used. It is linked to where outputs lie, so that it takes no room of its own, and may be
deleted at any time.
"""

import logging
import os
from pathlib import Path

import pyarrow as pa

from smar.artifacts import digest
from smar.data import schema
from smar.errors import ArtifactError
from smar.replace import link_or_copy, write_file

logger = logging.getLogger(__name__)

_ENDING = ".parquet"


class Output:
    """A table as a stage writes it.

    Args:
        content: The table, or the file that has it.
    """

    def __init__(self, content: pa.Table | Path) -> None:
        # How parquet lays out texts depends on the pieces that a column comes in.
        self._content = content if isinstance(content, Path) else content.combine_chunks()

    def __len__(self) -> int:
        if isinstance(self._content, Path):
            return schema.num_rows(self._content)
        return int(self._content.num_rows)

    @property
    def table(self) -> pa.Table:
        """The table; of a file, read anew each time."""
        if isinstance(self._content, Path):
            return schema.read_arrow(self._content)
        return self._content

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""
        if isinstance(self._content, Path):
            return schema.StoredTable(self._content)[name]
        return self._content[name]

    def write(self, path: Path) -> None:
        """Write the table whole or not at all; a file is linked where that can be."""
        if not isinstance(self._content, Path):
            schema.write_arrow(path, self._content)
            return
        with write_file(path) as temporary:
            link_or_copy(self._content, temporary)


class KeptOutputs:
    """Tables that an earlier run wrote.

    Args:
        folder: Where they are kept, None for nowhere.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._used: dict[str, Path] = {}

    def find(self, name: str, key: str) -> Output | None:
        """Return the table of a name that was made of what a key stands for, None if there is none.

        Args:
            name: Of the table.
            key: Hexadecimal digits, "" for what nothing stands for.
        """
        if self._folder is None or not key:
            return None
        for file in self._folder.glob(f"{name}-{key}-*{_ENDING}"):
            if digest(file) == file.stem.rpartition("-")[2]:
                self._used[name] = file
                return Output(file)
            logger.warning("%s: is damaged, and made anew", file)
        return None

    def keep(self, name: str, key: str, table: pa.Table) -> Output:
        """Return a table, written to be kept; a disk without room is no error here."""
        made = Output(table)
        if self._folder is None or not key:
            return made
        written = self._folder / f"{name}-{os.getpid()}{_ENDING}"  # of two runs each has its own
        try:
            made.write(written)
            file = self._folder / f"{name}-{key}-{digest(written)}{_ENDING}"
            written.replace(file)
        except (OSError, ArtifactError) as error:
            logger.warning("%s: is not kept: %s", written, error)
            return made
        self._used[name] = file
        return Output(file)

    def forget_others(self) -> None:
        """Remove all but the last that was found or kept of each name."""
        if self._folder is not None and self._folder.is_dir():
            for file in self._folder.iterdir():
                if file not in self._used.values():
                    file.unlink(missing_ok=True)
