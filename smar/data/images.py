"""The pictures of a catalogue: one size, in memory-mapped shards.

A shard is named by its content and never changes: what a new run adds lies in shards of its own, so
that those of before stay the files they are. Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import read_manifest, verify_directory
from smar.errors import ArtifactError

KIND = "images"
SHARD_SIZE = 4096
TABLE = "images.parquet"


class ImageStore:
    """The pictures of a catalogue by image id.

    Args:
        shards: Memory-mapped arrays by name, [up to `SHARD_SIZE`, H, W, 3] each; not all that is in
            them need be of the catalogue.
        table: A row per image id: image_id, sha256, source, width and height of the original, and
            the shard with the place in it where its pixels are.
        height: H.
        width: W.
    """

    def __init__(
        self,
        shards: Mapping[str, NDArray[np.uint8]],
        table: pd.DataFrame,
        height: int,
        width: int,
    ) -> None:
        self.shards, self.names = list(shards.values()), list(shards)
        self.table = table
        self.height, self.width = height, width
        self._shard = pd.Index(self.names).get_indexer(pd.Index(table["shard"]))
        self._place = table["place"].to_numpy(np.int64)

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> "ImageStore":
        """Return the store of a directory artefact; pictures are read when asked for.

        Args:
            path: The directory.
            verify: Hash every file again, which reads them all once.

        Raises:
            ArtifactError: If the directory is missing or damaged, or of an earlier form.
        """
        manifest = (verify_directory if verify else read_manifest)(path, KIND)
        table = pd.read_parquet(path / TABLE)
        if not {"shard", "place"} <= set(table.columns):
            raise ArtifactError(f"{path}: was packed by an earlier version. Run `dvc repro` again.")
        shards = {
            name: np.load(path / name, mmap_mode="r", allow_pickle=False)
            for name in sorted(manifest.files)
            if name.endswith(".npy")
        }
        sizes = {name: len(pixels) for name, pixels in shards.items()}
        outside = ~(table["place"] < table["shard"].astype(object).map(sizes))
        if outside.any():
            raise ArtifactError(
                f"{path}: {int(outside.sum())} of the {len(table)} pictures of {TABLE} are not in "
                f"the shards, which hold {sum(sizes.values())}. Run `dvc repro` again."
            )
        return cls(shards, table, manifest.details["height"], manifest.details["width"])

    def __len__(self) -> int:
        return len(self.table)

    @property
    def sha256(self) -> list[str]:
        """SHA-256 of every picture's file, by image id."""
        return list(self.table["sha256"])

    def place_of(self, image_id: int) -> tuple[int, int]:
        """Return the number of a picture's shard, and its place there."""
        return int(self._shard[image_id]), int(self._place[image_id])

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return pictures, [n, H, W, 3], for image ids [n]."""
        result = np.empty((len(image_ids), self.height, self.width, 3), np.uint8)
        shard_of = self._shard[image_ids]
        for number in np.unique(shard_of):
            here = np.flatnonzero(shard_of == number)
            result[here] = self.shards[number][self._place[image_ids[here]]]
        return result
