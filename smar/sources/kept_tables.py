"""Tables that the next run may take, in Arrow's stream format with a checksum at the end.

What is damaged, or not there, is made again: a kept file costs time, never truth.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from xxhash import xxh3_128

from smar.data.schema import table_of
from smar.sources.quarantine import QUARANTINE, Quarantine

logger = logging.getLogger(__name__)

ENDING = ".arrow"
_DIGEST_BYTES = 16
_FACTS = b"facts"


class KeptTables(NamedTuple):
    """Tables as they were kept, what was left out of them, what else there is to say, checksum."""

    tables: list[pa.Table]
    quarantine: Quarantine
    facts: dict[str, Any]
    checksum: str


def write_tables(
    path: Path, tables: Sequence[pa.Table], quarantine: Quarantine, facts: Mapping[str, Any]
) -> None:
    """Keep tables; a disk without room is no error here.

    Args:
        path: The file.
        tables: At least one.
        quarantine: What was left out of them.
        facts: What else there is to say, as JSON has it.
    """
    left_out = table_of(quarantine.frame(), QUARANTINE)
    told = {"totals": quarantine.totals, "facts": facts}
    first = tables[0].replace_schema_metadata({_FACTS: json.dumps(told)})
    # Neither flushed nor locked: the checksum tells what a power cut or a second run left behind.
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(temporary), "wb") as sink:  # memory for a copy of all costs more
            for table in (first, *tables[1:], left_out):
                with pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table)
        with temporary.open("rb+") as file:
            digest = file_digest(file, xxh3_128).digest()
            file.seek(0, os.SEEK_END)
            file.write(digest)
        temporary.replace(path)
    except OSError as error:
        logger.warning("%s: what was read is not remembered: %s", path, error)
        temporary.unlink(missing_ok=True)


def read_tables(path: Path, count: int) -> KeptTables | None:
    """Return what `write_tables` kept, None if nothing is there or it is damaged.

    Args:
        path: The file.
        count: Number of tables.
    """
    if not path.is_file():
        return None
    try:
        with pa.memory_map(str(path)) as file:
            whole = file.read_buffer()
        content = whole.slice(0, max(0, whole.size - _DIGEST_BYTES))
        checksum = xxh3_128(content).hexdigest()
        if checksum != whole[len(content) :].to_pybytes().hex():
            raise pa.ArrowInvalid("its checksum does not fit")
        source = pa.BufferReader(content)
        first, *rest, left_out = (pa.ipc.open_stream(source).read_all() for _ in range(count + 1))
        told = json.loads(first.schema.metadata[_FACTS])
        quarantine = Quarantine(dict(told["totals"]))
        facts = dict(told["facts"])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: is read anew: %s", path, error)
        return None
    if len(left_out):
        quarantine.add(Quarantine({}, [left_out.to_pandas()]))
    return KeptTables([first.replace_schema_metadata(), *rest], quarantine, facts, checksum)


def checksum_of(path: Path) -> str:
    """Return the checksum that a file has at its end, "" where there is none.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(-min(_DIGEST_BYTES, path.stat().st_size), os.SEEK_END)
        return file.read().hex()


def forget_others(folder: Path, used: set[str]) -> None:
    """Remove the files of a folder but for those of some names, their ending aside."""
    if folder.is_dir():
        for file in folder.iterdir():
            if file.name.removesuffix(ENDING) not in used:
                file.unlink(missing_ok=True)
