"""Features of what has none yet: shard after shard, so that a killed run goes on where it was.

Shapes: n rows, F numbers of a row.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from smar.errors import DataError
from smar.features.store import TABLE, FeatureRows
from smar.replace import link_or_copy, write_file

logger = logging.getLogger(__name__)

Compute = Callable[[NDArray[np.int64]], NDArray[np.float16]]
ComputeShards = Callable[[Iterable[NDArray[np.int64]]], Iterable[NDArray[np.float16]]]

_SHARD_BYTES = 16_000_000  # what a killed run loses at most: half a minute of a small network
_PROBES = 4  # kept rows that are computed again, to see that they are still what they were
_TOLERANCE = 2e-2  # of the largest number; another processor rounds differently
_LEAST_USED = 0.5  # of a shard's rows; with less the others move to a shard of their own


@dataclass(frozen=True)
class Made:
    """How many rows a part has, and how many of them were computed or found computed.

    Args:
        rows: All of them.
        computed: By this run.
        resumed: By a run that was stopped.
    """

    rows: int
    computed: int
    resumed: int


@dataclass(frozen=True)
class Wanted:
    """What there are to be features of.

    Args:
        name: For messages: "pictures" or "texts".
        keys: Key of each content, each once.
        width: F.
        batch: Contents that are computed at once.
        compute: Positions in `keys` to features; called with at most `batch` of them.
    """

    name: str
    keys: Sequence[str]
    width: int
    batch: int
    compute: Compute


def make_rows(
    target: Path,
    work: Path,
    wanted: Wanted,
    earlier: FeatureRows | None,
    compute_shards: ComputeShards | None = None,
) -> Made:
    """Write a part's features into an empty folder, taking over what is there already.

    Args:
        target: The folder.
        work: Where shards wait until all are there; a run that is killed leaves them.
        wanted: What is to be there.
        earlier: The same part of an earlier run with the same backbone, whose rows are taken over.
        compute_shards: Positions of each shard to its features as of `compute_shard`, in their
            order; None: here, one after the other.

    Raises:
        DataError: If a feature is not finite.
    """
    work.mkdir(parents=True, exist_ok=True)
    sources = [] if earlier is None or not _is_still_true(earlier, wanted) else [earlier]
    left = _waiting(work)
    if _is_still_true(left, wanted):
        sources.append(left)
    found = _places(sources, wanted.keys)
    resumed = int((found["source"] == len(sources) - 1).sum()) if left in sources else 0
    missing = np.flatnonzero(found["source"] < 0)
    at_once = max(1, _SHARD_BYTES // (2 * wanted.width))
    parts = [missing[start : start + at_once] for start in range(0, len(missing), at_once)]
    compute = compute_shards or partial(map, partial(compute_shard, wanted))
    with tqdm(total=len(missing), desc=wanted.name, unit="row", disable=None) as bar:
        for number, (part, rows) in enumerate(zip(parts, compute(parts), strict=True), start=1):
            _write_shard(work, f"shard-{_name_of(wanted.keys, part)}.npy", wanted.keys, part, rows)
            bar.update(len(part))
            if number * 10 // len(parts) > (number - 1) * 10 // len(parts):  # a log has no bar
                done = min(number * at_once, len(missing))
                logger.info("features of %s: %d of %d", wanted.name, done, len(missing))
    sources = [*sources[: len(sources) - (left in sources)], _waiting(work)]
    _gather(target, sources, wanted.keys)
    return Made(len(wanted.keys), len(missing), resumed)


def compute_shard(wanted: Wanted, positions: NDArray[np.int64]) -> NDArray[np.float16]:
    """Return the features of some contents, [n, F], computed batch by batch.

    Raises:
        DataError: If a feature is not finite.
    """
    batches = []
    for start in range(0, len(positions), wanted.batch):
        some = positions[start : start + wanted.batch]
        made = wanted.compute(some)
        bad = ~np.isfinite(made).all(axis=1)
        if bad.any():
            raise DataError(
                f"features: {int(bad.sum())} of {len(some)} {wanted.name} came out of the backbone "
                f"as numbers that are not finite (first: {wanted.keys[some[bad][0]]}). Look at its "
                "weights, or train it instead (unfreeze: all)."
            )
        batches.append(made)
    return np.concatenate(batches)


def _is_still_true(before: FeatureRows, wanted: Wanted) -> bool:
    """Return whether some rows of before come out the same; False where there are none to use."""
    rows = before.places(wanted.keys)
    shared = np.flatnonzero(rows >= 0)
    if not len(shared):
        return False
    some = shared[np.linspace(0, len(shared) - 1, min(_PROBES, len(shared))).astype(int)]
    old, new = before.read(rows[some]).astype(np.float32), wanted.compute(some)
    scale = np.abs(new.astype(np.float32)).max(initial=1e-6)
    if old.shape == new.shape and np.abs(old - new).max() <= _TOLERANCE * scale:
        return True
    logger.warning("features: the code makes other %s than before: all are made anew", wanted.name)
    return False


def _write_shard(
    work: Path,
    name: str,
    keys: Sequence[str],
    positions: NDArray[np.int64],
    rows: NDArray[np.float16],
) -> None:
    """Put a shard into the waiting folder; it counts from the moment its rows have their name."""
    with write_file((work / name).with_suffix(".parquet")) as temporary:
        pd.DataFrame({"key": [keys[row] for row in positions]}).to_parquet(temporary, index=False)
    with write_file(work / name) as temporary, temporary.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def _name_of(keys: Sequence[str], positions: NDArray[np.int64]) -> str:
    return sha256("\n".join(keys[row] for row in positions).encode()).hexdigest()[:16]


def _waiting(work: Path) -> FeatureRows:
    """Return what lies in the waiting folder."""
    shards, tables = {}, [pd.DataFrame({"key": [], "shard": [], "place": []})]
    for file in sorted(work.glob("shard-*.npy")):
        shards[file.name] = np.load(file, mmap_mode="r", allow_pickle=False)
        keys = pd.read_parquet(file.with_suffix(".parquet"))["key"]
        tables.append(keys.to_frame().assign(shard=file.name, place=np.arange(len(keys))))
    table = pd.concat(tables[1:] or tables, ignore_index=True).drop_duplicates("key")
    return FeatureRows(work, shards, table.reset_index(drop=True))


def _places(sources: Sequence[FeatureRows], keys: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return for each key the number of the first source that has it, -1 for none, and its row."""
    source, row = np.full(len(keys), -1), np.full(len(keys), -1)
    for number, rows in enumerate(sources):
        here = rows.places(keys)
        new = (source < 0) & (here >= 0)
        source[new], row[new] = number, here[new]
    return {"source": source, "row": row}


def _gather(target: Path, sources: Sequence[FeatureRows], keys: Sequence[str]) -> None:
    """Write the table of all rows, and put the shards that hold them beside it."""
    found = _places(sources, keys)
    table = pd.DataFrame({"key": list(keys), "shard": "", "place": 0}).astype({"shard": object})
    loose = []
    for number, rows in enumerate(sources):
        mine = np.flatnonzero(found["source"] == number)
        own = rows.table.iloc[found["row"][mine]]
        for name, part in own.assign(at=mine).groupby("shard", observed=True):
            shard = str(name)
            if len(part) < _LEAST_USED * len(rows.shards[shard]):
                loose.append((part["at"].to_numpy(), rows.shards[shard][part["place"].to_numpy()]))
                continue
            link_or_copy(rows.folder / shard, target / shard)
            table.loc[part["at"], "shard"] = shard
            table.loc[part["at"], "place"] = part["place"].to_numpy()
    if loose:
        at = np.concatenate([each for each, _ in loose])
        shard = f"shard-{_name_of(keys, at)}.npy"
        np.save(target / shard, np.concatenate([rows for _, rows in loose]), allow_pickle=False)
        table.loc[at, "shard"] = shard
        table.loc[at, "place"] = np.arange(len(at))
    table.astype({"shard": "category"}).to_parquet(target / TABLE, index=False)
