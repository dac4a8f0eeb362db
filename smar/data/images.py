"""The pictures of a catalogue: one size, in memory-mapped shards.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections.abc import Sequence
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
        shards: Memory-mapped arrays, [n, H, W, 3]; all but the last hold `SHARD_SIZE` pictures.
        table: Columns image_id, sha256, source, width and height of the original.
        height: H.
        width: W.
    """

    def __init__(
        self, shards: Sequence[NDArray[np.uint8]], table: pd.DataFrame, height: int, width: int
    ) -> None:
        self._shards = list(shards)
        self.table = table
        self.height, self.width = height, width

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> "ImageStore":
        """Return the store of a directory artefact; pictures are read when asked for.

        Args:
            path: The directory.
            verify: Hash every file again, which reads them all once.

        Raises:
            ArtifactError: If the directory is missing or damaged.
        """
        manifest = (verify_directory if verify else read_manifest)(path, KIND)
        table = pd.read_parquet(path / TABLE)
        shards = [
            np.load(path / name, mmap_mode="r", allow_pickle=False)
            for name in sorted(manifest.files)
            if name.endswith(".npy")
        ]
        if sum(map(len, shards)) != len(table):
            raise ArtifactError(
                f"{path}: {sum(map(len, shards))} pictures in the shards, {len(table)} in {TABLE}."
                " Run `dvc repro` again."
            )
        return cls(shards, table, manifest.details["height"], manifest.details["width"])

    def __len__(self) -> int:
        return len(self.table)

    @property
    def sha256(self) -> list[str]:
        """SHA-256 of every picture's file, by image id."""
        return list(self.table["sha256"])

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return pictures, [n, H, W, 3], for image ids [n]."""
        result = np.empty((len(image_ids), self.height, self.width, 3), np.uint8)
        shard_of = image_ids // SHARD_SIZE
        for number in np.unique(shard_of):
            here = np.flatnonzero(shard_of == number)
            result[here] = self._shards[number][image_ids[here] % SHARD_SIZE]
        return result
