"""A release, or the working tree, as it leaves for elsewhere."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import digest
from smar.data import schema
from smar.data.images import ImageStore
from smar.index.exclusive_words import ExclusiveWords
from smar.index.hybrid import HybridIndex
from smar.models.dual_encoder import DualEncoder
from smar.paths import Paths
from smar.service.registry import AUTO
from smar.service.retriever import Retriever


@dataclass(frozen=True)
class Source:
    """What is exported.

    Args:
        model: The model.
        index: The index of its embeddings and words, in which no word excludes another.
        release: The version, "" for the working tree.
        model_sha: Digest of the model.
        paths: The project.
        folder: The release's folder, None for the working tree.
        exclusive: What a search of smar takes away beside it for words that exclude each other.
    """

    model: DualEncoder
    index: HybridIndex
    release: str
    model_sha: str
    paths: Paths
    folder: Path | None
    exclusive: ExclusiveWords | None = None

    @classmethod
    def load(cls, root: Path, release: str = AUTO) -> "Source":
        """Return a release of a project; `release` is as for a search.

        Raises:
            ReleaseError: If there is no such release.
            ArtifactError: If an artefact is missing or damaged.
        """
        found = Retriever.load(root, release)
        paths = Paths(root)
        folder = None
        if found.release:
            folder = paths.releases / found.release
            folder = folder if folder.is_dir() else paths.release  # one that was pulled
        model = folder / "model" if folder else paths.retriever
        index = replace(found.index, exclusive=None)  # other engines add words alone
        exclusive = found.index.exclusive
        return cls(found.model, index, found.release, digest(model), paths, folder, exclusive)

    def items(self) -> pd.DataFrame:
        """Return the item table in the order of the index."""
        path = self.folder / "items.parquet" if self.folder else self.paths.items
        table = schema.read_table(path, schema.ITEMS)
        return table.set_index("item_id", drop=False).loc[self.index.item_ids]

    def pictures(self) -> NDArray[np.object_]:
        """Return the SHA-256 of each picture's file, by the item table's `image_ids`."""
        if self.folder:
            return pd.read_parquet(self.folder / "pictures.parquet")["sha256"].to_numpy(object)
        return np.array(ImageStore.open(self.paths.images, verify=False).sha256, object)

    def queries(self) -> list[str]:
        """Return texts to test with: judged ones, else the log's, else the beginning of titles."""
        if self.folder:
            texts = pd.read_parquet(self.folder / "judged" / "queries.parquet")["query"]
        else:
            table = schema.read_table(self.paths.queries, schema.QUERIES)
            judged = table["split"].isin(schema.JUDGED)
            texts = table["query"][judged if judged.any() else slice(None)]
        if not len(texts):
            texts = self.items()["title"].str.split().str[:2].str.join(" ")
        normal = dict.fromkeys(map(schema.normalize_query, texts))
        return [text for text in normal if text]
