"""Features of frozen backbones on disk: memory-mapped float16 rows by content.

A part ("image", "text") is a folder of shards, each a plain npy [rows, F], and a table that says
where the row of each content is. Shapes: n rows, F numbers of a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data.images import ImageStore
from smar.errors import ArtifactError

KIND = "features"
TABLE = "rows.parquet"
PARTS = {"image": "pictures", "text": "texts"}
AGAIN = "Run `dvc repro`, or `smar features` alone."


@dataclass(frozen=True)
class FeatureRows:
    """The features of one part.

    Args:
        folder: Where its files are.
        shards: Memory-mapped arrays by name, [rows, F] each.
        table: key, shard and place of every row.
    """

    folder: Path
    shards: Mapping[str, NDArray[np.float16]]
    table: pd.DataFrame

    @classmethod
    def open(cls, folder: Path) -> "FeatureRows":
        """Return the features in a folder, whose files were verified.

        Raises:
            ArtifactError: If the table names rows that no shard has.
        """
        table = pd.read_parquet(folder / TABLE)
        shards = {
            file.name: np.load(file, mmap_mode="r", allow_pickle=False)
            for file in sorted(folder.glob("*.npy"))
        }
        sizes = {name: len(rows) for name, rows in shards.items()}
        outside = ~(table["place"] < table["shard"].astype(object).map(sizes))
        if outside.any():
            raise ArtifactError(
                f"{folder}: {int(outside.sum())} of {len(table)} rows of {TABLE} are in no shard. "
                f"{AGAIN}"
            )
        return cls(folder, shards, table)

    def places(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of the table for each key, -1 where there is none."""
        return np.asarray(pd.Index(self.table["key"]).get_indexer(pd.Series(keys, dtype="str")))

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return features [n, F] of rows of the table [n]."""
        if not self.shards:
            return np.empty((0, 0), np.float16)
        width = next(iter(self.shards.values())).shape[1]
        result = np.empty((len(rows), width), np.float16)
        shard = self.table["shard"].to_numpy(object)[rows]
        place = self.table["place"].to_numpy(np.int64)[rows]
        for name in dict.fromkeys(shard):
            here = np.flatnonzero(shard == name)
            result[here] = self.shards[name][place[here]]
        return result


class FeatureStore:
    """What the item towers see of a catalogue: features where a tower is frozen, else pixels.

    Args:
        images: The picture store.
        pictures: Features of pictures; None if the picture tower sees pixels.
        texts: Features of texts; None if the text tower sees words.

    Raises:
        ArtifactError: If a picture has no features.
    """

    def __init__(
        self, images: ImageStore, pictures: FeatureRows | None, texts: FeatureRows | None
    ) -> None:
        self._images, self._pictures, self._texts = images, pictures, texts
        if pictures is not None:
            self._row = pictures.places(images.sha256)
            _refuse_missing(self._row, "pictures", "other pictures were packed since")
        if texts is not None:
            self._text_row = pd.Series(np.arange(len(texts.table)), index=texts.table["key"])

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[Any]:
        """Return features [n, F] of image ids [n], or pixels where there are none to be."""
        if self._pictures is None:
            return self._images.read(image_ids)
        return self._pictures.read(self._row[image_ids])

    def states_of(self, texts: Sequence[str]) -> NDArray[np.float16] | None:
        """Return the pooled states of texts, [n, H]; None where the text tower is not frozen.

        Raises:
            ArtifactError: If a text has none.
        """
        if self._texts is None:
            return None
        keys = [text_key(text) for text in texts]
        rows = self._text_row.reindex(keys).fillna(-1).to_numpy(np.int64)
        _refuse_missing(rows, "texts", "the catalogue changed since")
        return self._texts.read(rows)


def text_key(text: str) -> str:
    """Return the key of a text."""
    return sha256(text.encode()).hexdigest()


def _refuse_missing(rows: NDArray[np.int64], what: str, why: str) -> None:
    lost = int((rows < 0).sum())
    if lost:
        raise ArtifactError(
            f"data/features: {lost} of {len(rows)} {what} have no features; {why}. {AGAIN}"
        )
