"""The pictures of a catalogue: one size, in memory-mapped shards.

A shard is named by its content and never changes: what a new run adds lies in shards of its own, so
that those of before stay the files they are. It lies in the folder of the table, or in an object
store, from where a machine fetches it when it first reads of it (`stored_shards`). Shapes: n
pictures of H x W pixels, uint8 RGB.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.artifacts import Manifest, read_manifest, verify_directory
from smar.data import schema
from smar.data.arrow_numbers import numbers_of
from smar.data.stored_shards import Shards, StoredShards
from smar.errors import ArtifactError
from smar.paths import Paths
from smar.verified import unwritten

logger = logging.getLogger(__name__)

KIND = "images"
SHARD_SIZE = 4096
TABLE = "images.parquet"


class ImageStore:
    """The pictures of a catalogue by image id.

    Args:
        shards: Memory-mapped arrays by name, [up to `SHARD_SIZE`, H, W, 3] each, perhaps opened as
            they are asked for; not all that is in them need be of the catalogue.
        table: A row per image id: image_id, sha256, source, width and height of the original, and
            the shard with the place in it where its pixels are.
        height: H.
        width: W.
    """

    def __init__(
        self,
        shards: Mapping[str, NDArray[np.uint8]],
        table: pa.Table,
        height: int,
        width: int,
    ) -> None:
        self.shards, self.names = shards, list(shards)
        self.table = table
        self.height, self.width = height, width
        number = {name: place for place, name in enumerate(self.names)}
        named = table["shard"].combine_chunks().dictionary_encode()
        shards_of = [number.get(name, -1) for name in named.dictionary.to_pylist()]
        self._shard = np.array(shards_of, np.int64)[numbers_of(named.indices)]
        self._place = numbers_of(table["place"]).astype(np.int64)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        verify: bool = True,
        unchanged: Collection[str] = (),
        kept: Path | None = None,
        columns: Sequence[str] | None = None,
    ) -> "ImageStore":
        """Return the store of a directory artefact; pictures are read when asked for.

        Args:
            path: The directory.
            verify: Hash every file again, which reads them all once; shards of an object store are
                hashed when they are opened.
            unchanged: Files that are known to be what they were when they were hashed last.
            kept: Where shards of an object store are kept; None for `.smar/shards` of the project
                whose `data/images` the directory is.
            columns: Those of the table that are asked for, all where None.

        Raises:
            ArtifactError: If the directory is missing or damaged, or of an earlier form.
        """
        if verify:
            manifest = verify_directory(path, KIND, unchanged=unchanged)
        else:
            manifest = read_manifest(path, KIND)
        stored = schema.StoredTable(path / TABLE)
        if not {"shard", "place"} <= set(stored.schema.names):
            raise ArtifactError(f"{path}: was packed by an earlier version. Run `dvc repro` again.")
        table = stored.whole() if columns is None else stored.select(["shard", "place", *columns])
        shards = _shards(path, manifest, kept, verify=verify)
        store = cls(shards, table, manifest.details["height"], manifest.details["width"])
        sizes = np.array([*shards.sizes.values(), 0])  # the last of a shard that is not there
        outside = int((store._place >= sizes[store._shard]).sum())
        if outside:
            raise ArtifactError(
                f"{path}: {outside} of the {len(table)} pictures of {TABLE} are not in "
                f"the shards, which hold {sizes.sum()}. Run `dvc repro` again."
            )
        return store

    @classmethod
    def of(cls, paths: Paths, columns: Sequence[str] | None = None) -> "ImageStore":
        """Return the store of a project, verified.

        A shard that `ingest` hashed, and that nobody wrote to since, is not hashed again.

        Args:
            paths: The project.
            columns: As of `open`.

        Raises:
            ArtifactError: As `open`.
        """
        try:
            records = sorted((paths.work / "pictures").glob("*.json"))
            known = [unwritten(record, paths.images) for record in records]
        except (OSError, ValueError) as error:
            logger.warning("pictures are hashed again: %s", error)
            known = []
        return cls.open(paths.images, unchanged=frozenset[str]().union(*known), columns=columns)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def sha256(self) -> list[str]:
        """SHA-256 of every picture's file, by image id."""
        return list(self.table["sha256"].to_pylist())

    def place_of(self, image_id: int) -> tuple[int, int]:
        """Return the number of a picture's shard, and its place there."""
        return int(self._shard[image_id]), int(self._place[image_id])

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of each picture's shard, and its place there, [n] each."""
        return self._shard, self._place

    def pixels_of(self, number: int) -> NDArray[np.uint8]:
        """Return a shard by its number, [up to `SHARD_SIZE`, H, W, 3].

        Raises:
            ArtifactError: If it lies in an object store, and cannot be had.
        """
        return self.shards[self.names[number]]

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return pictures, [n, H, W, 3], for image ids [n].

        Raises:
            ArtifactError: As `pixels_of`.
        """
        result = np.empty((len(image_ids), self.height, self.width, 3), np.uint8)
        shard_of = self._shard[image_ids]
        for number in np.unique(shard_of):
            here = np.flatnonzero(shard_of == number)
            result[here] = self.pixels_of(number)[self._place[image_ids[here]]]
        return result

    def states_of(self, _texts: Sequence[str]) -> None:
        """Return None: a store of pictures keeps no states of texts."""
        return


def _shards(path: Path, manifest: Manifest, kept: Path | None, *, verify: bool) -> Shards:
    """Return the shards that a manifest names, of its folder or of an object store."""
    stored = StoredShards.of(manifest, kept or Paths(path.parent.parent).shards, verify=verify)
    facts = manifest.files if stored is None else stored.facts
    named = {name: facts[name] for name in sorted(facts) if name.endswith(".npy")}
    picture = manifest.details["height"] * manifest.details["width"] * 3
    return Shards(named, path.__truediv__ if stored is None else stored.file_of, picture)
