"""The files of a log: one, a folder of days, a glob; plain or compressed; read as a stream.

What a file is follows from its first bytes, not from its name: exports are renamed.
"""

import bz2
import codecs
import gzip
import io
import logging
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from smar.errors import DataError, list_problems
from smar.sources.quarantine import Quarantine

logger = logging.getLogger(__name__)

# What is wrong with a file as a whole; its lines that can be read are kept, so there is no limit.
FILES = "log files"
_BLOCK = 1 << 20
_GLOB = frozenset("*?[")
_PARQUET = b"PAR1"
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def _open_zstd(path: Path, mode: str) -> IO[bytes]:
    raw = pa.CompressedInputStream(pa.OSFile(str(path), mode), "zstd")
    return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", raw), _BLOCK))


_OPENERS: tuple[tuple[bytes, Callable[..., object]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
    (b"\x28\xb5\x2f\xfd", _open_zstd),
)
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)


def log_files(folder: Path, *settings: str) -> list[Path]:
    """Return the files that settings name, each once, in the order of their names.

    Args:
        folder: What relative names start from.
        settings: A file, a folder (with all files below it, as Spark and daily exports write
            them; names that begin with "_" or "." are marks, not data), a glob, or "" for none.

    Raises:
        DataError: If a setting names nothing; lists all of them.
    """
    files: dict[Path, None] = {}
    problems = []
    for setting in settings:
        if not setting:
            continue
        found = _files_of(folder, setting)
        if found is None:
            problems.append(f"{folder / setting}: no log there")
        files |= dict.fromkeys(found or [])
    if not any(settings):
        problems.append("neither ingest.log.queries nor ingest.log.events names a file")
    if problems:
        headline = (
            "The log cannot be read. Check ingest.folder and ingest.log in params.yaml (a file, a "
            "folder or a glob), or set ingest.log.kind to none:"
        )
        raise DataError(list_problems(headline, problems))
    return list(files)


def _files_of(folder: Path, setting: str) -> list[Path] | None:
    """Return the files of a setting, None when there is nothing by that name."""
    path = folder / setting
    if path.is_file():
        return [path]
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if p.is_file())
        kept = [p for p in below if not _is_mark(p.relative_to(path))]
        if not kept:
            logger.warning("%s: the folder is empty; the log has nothing from it", path)
        return kept
    if _GLOB & set(setting):
        matches = sorted(folder.glob(setting))
        files = [p for p in matches if p.is_file() and not _is_mark(Path(p.name))]
        below = [file for p in matches if p.is_dir() for file in _files_of(folder, str(p)) or []]
        return [*files, *below] or None
    return None


def _is_mark(path: Path) -> bool:
    """Return whether a file is a mark of a tool (_SUCCESS, .part.crc), at any level."""
    return any(part.startswith(("_", ".")) for part in path.parts) or path.suffix == ".crc"


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as parquet files do."""
    with path.open("rb") as file:
        return file.read(4) == _PARQUET


def open_bytes(path: Path) -> IO[bytes]:
    """Return the content of a file, uncompressed, as UTF-8 where it was UTF-16."""
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in _OPENERS if start.startswith(magic)), Path.open)
    stream = cast("IO[bytes]", opener(path, "rb"))
    for bom, name in _BOMS:
        if start.startswith(bom):
            return cast("IO[bytes]", codecs.EncodedFile(stream, "utf-8", name, errors="replace"))
    return stream


def read_blocks(path: Path, quarantine: Quarantine, *, is_quiet: bool = False) -> Iterator[bytes]:
    """Yield the content of a file in blocks; a file that breaks off is read as far as it goes."""
    try:
        with open_bytes(path) as stream:
            # read1 hands over what there is before a packed file breaks off; read would not.
            is_recoded = isinstance(stream, codecs.StreamRecoder)
            read = stream.read if is_recoded else getattr(stream, "read1", stream.read)
            while block := read(_BLOCK):
                yield block
    except _BROKEN as error:
        if not is_quiet:
            note_broken(path, error, quarantine)


def beginning(path: Path) -> bytes:
    """Return the first bytes of a file's content, at most a block."""
    return next(read_blocks(path, Quarantine(), is_quiet=True), b"")


def read_lines(path: Path, quarantine: Quarantine) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of a file, and whether the line is whole (ends as lines do)."""
    rest = b""
    for block in read_blocks(path, quarantine):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line, True
    if rest:
        yield rest, False


def note_broken(path: Path, error: Exception, quarantine: Quarantine) -> None:
    """Note that a file could not be read to its end; what came before is kept."""
    reason = "file breaks off (cut, or still being written); what comes before is kept"
    quarantine.put(FILES, [(0, path.name, "file", reason, str(error))])
    logger.warning("%s: %s: %s", path, reason, error)
