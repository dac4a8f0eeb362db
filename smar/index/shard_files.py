"""An index as a directory: a Faiss file for each shard, and the shard of each item.

    index.faiss                 of one shard; whole.faiss beside it where it holds compact vectors
    index-0.faiss, ...          of several; whole-0.faiss, ...
    items.parquet               item_id by row of the catalogue; its shard where there are several

`shards` in the manifest's details says how many items each of several shards has; its `files` have
the hash of each.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest, verify_directory, write_directory
from smar.data import schema
from smar.data.arrow_numbers import numbers_of
from smar.errors import ArtifactError, list_problems
from smar.index.layout import Layout
from smar.index.shard import Shard
from smar.index.store import write_item_ids
from smar.verified import Verified

if TYPE_CHECKING:
    from smar.index.ann import VectorIndex

INDEX, WHOLE = "index", "whole"
_ITEMS = "items.parquet"

Take = Callable[[Path], dict[str, Any] | None]
"""Puts a file of that name in that place if it is kept: its size and SHA-256, else None."""


def file_of(name: str, number: int, count: int) -> str:
    """Return the file of a shard: "index" or "whole" of one of so many."""
    return f"{name}.faiss" if count == 1 else f"{name}-{number}.faiss"


@contextmanager
def index_directory(
    path: Path, index: "VectorIndex", manifest: Manifest, take: Take | None = None
) -> Iterator[Path]:
    """Write an index as a directory artefact, whole or not at all; yield it for further files.

    Args:
        path: The directory.
        index: The index.
        manifest: Of the directory; what the index tells of itself is filled in.
        take: Puts files there that need not be written; None: all are written.
    """
    manifest.details |= index.details
    columns: dict[str, Any] = {"item_id": index.item_ids}
    if index.layout.numbers is not None:
        sizes = [len(shard) for shard in index.shards]
        names = [file_of(INDEX, number, len(sizes)) for number in range(len(sizes))]
        manifest.details["shards"] = dict(zip(names, sizes, strict=True))
        columns["shard"] = index.layout.numbers
    with write_directory(path, manifest) as folder:
        for number, shard in enumerate(index.shards):
            for name, held in ((INDEX, shard.index), (WHOLE, shard.whole)):
                file = folder / file_of(name, number, len(index.shards))
                if held is None:
                    continue
                if take is not None and (facts := take(file)) is not None:
                    manifest.files[file.name] = facts
                else:
                    _write(held, file)
        write_item_ids(folder / _ITEMS, **columns)
        yield folder


def _write(index: Any, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        # Faiss does not keep the error number; a write fails where there is no room.
        raise OSError(errno.ENOSPC, f"No space left on device ({error})") from error


def read_shards(
    path: Path, kind: str, verified: Verified | None = None
) -> tuple[list[Shard], list[str], dict[str, Any], Layout]:
    """Return the shards of a directory artefact, its ids, details and layout.

    Args:
        path: The directory.
        kind: What it has to hold.
        verified: Know what was hashed before; None: every file is hashed.

    Raises:
        ArtifactError: If a shard is missing, damaged, of another build, or of another metric,
            length or size than the manifest says.
    """
    verify = verify_directory if verified is None else verified.verify
    details = verify(path, kind).details
    table = schema.read_arrow(path / _ITEMS)
    item_ids = table["item_id"].to_pylist()
    sizes: Mapping[str, int] = details.get("shards") or {file_of(INDEX, 0, 1): len(item_ids)}
    numbers = numbers_of(table["shard"]) if "shard" in table.column_names else None
    layout = Layout(numbers, len(sizes))
    compact = details.get("compact")
    length = 2 * compact["dim"] if compact and compact["dim"] else details["dim"]
    shards = []
    for number, rows in enumerate(layout.rows):
        size = len(item_ids) if rows is None else len(rows)
        index = _read(path / file_of(INDEX, number, len(sizes)), length, size)
        whole = None
        if compact:
            whole = _read(path / file_of(WHOLE, number, len(sizes)), details["dim"], size)
        shards.append(Shard(index, rows, whole))
    _check_one_build(path, shards)
    return shards, item_ids, details, layout


def _read(path: Path, length: int, num_items: int) -> Any:
    """Return the index of a file, its vectors mapped.

    They are read where a find is scored and not before, and processes that serve one index have
    them in memory once.

    Raises:
        ArtifactError: If it cannot be read, or is of another metric, length or size.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ArtifactError(f"{path}: cannot be read ({error}).") from error
    seen = (index.metric_type, index.d, index.ntotal)
    expected = (faiss.METRIC_INNER_PRODUCT, length, num_items)
    if seen != expected:
        raise ArtifactError(
            f"{path}: (metric, length, items) is {seen}, expected {expected}. Run `dvc repro`."
        )
    return index


def _check_one_build(path: Path, shards: list[Shard]) -> None:
    """Raise if shards were trained apart: their lists and codes would be of other centres."""
    trained = [_trained(shard) for shard in shards]
    strange = [
        f"{file_of(INDEX, number, len(shards))} is a {kind} of other centres or settings"
        for number, (kind, centres) in enumerate(trained)
        if kind != trained[0][0] or not np.array_equal(centres, trained[0][1])
    ]
    if strange:
        headline = (
            f"{path}: shards of different builds, beside {file_of(INDEX, 0, len(shards))}. Restore "
            "them with `dvc checkout`, or make them again with `dvc repro`:"
        )
        raise ArtifactError(list_problems(headline, strange))


def _trained(shard: Shard) -> tuple[str, NDArray[np.float32]]:
    """Return what kind of index a shard looks at first, and its centres."""
    first: Any = shard.first
    if not isinstance(first, faiss.IndexIVF):
        return type(first).__name__, np.empty(0, np.float32)
    centres = first.quantizer.reconstruct_n(0, first.nlist).ravel()
    if isinstance(first, faiss.IndexIVFPQFastScan):
        codes = faiss.vector_to_array(first.pq.centroids)
        centres = np.concatenate([centres, codes])
    return type(first).__name__, centres
