"""Search: a text query to the items of the index."""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import digest, read_manifest
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.schema import normalize_query
from smar.errors import ArtifactError, DataError
from smar.index.ann import whole_k
from smar.index.hybrid import HybridIndex
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries
from smar.models.io import load_model
from smar.pages.gallery import item_link
from smar.paths import Paths
from smar.service.registry import AUTO, KIND, find_release

logger = logging.getLogger(__name__)

_SHOWN = (
    "item_id", "title", "brand", "category", "price", "currency", "image_ids", "more",
)  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """An item that was found.

    Args:
        rank: From 1.
        score: Of vectors and words together, in [-1, 1] (`HybridIndex`).
        item_id: The item's id.
        title: Its title.
        brand: Its brand, "" if unknown.
        category: Its category, "" if unknown.
        price: Its price, None if unknown.
        currency: Currency of the price.
        image_ids: Its pictures in the picture store, main one first.
        link: Its page in the shop, "" if the feed names none.
    """

    rank: int
    score: float
    item_id: str
    title: str
    brand: str
    category: str
    price: float | None
    currency: str
    image_ids: list[int]
    link: str

    def as_dict(self) -> dict[str, Any]:
        """Return the hit in plain types."""
        return asdict(self)


class Retriever:
    """A project's model, index and item table, ready to search.

    Args:
        model: The model.
        index: The index of its embeddings and words.
        items: Item table in the order of the index.
        root: The project's root folder.
        release: Version of the release, "" for the working tree.
    """

    def __init__(
        self,
        model: DualEncoder,
        index: HybridIndex,
        items: pd.DataFrame,
        root: Path,
        release: str = "",
    ) -> None:
        self.model, self.index, self.items, self.root = model, index, items, root
        self.release = release

    @classmethod
    def load(cls, root: Path | str = ".", release: str = AUTO) -> "Retriever":
        """Return the retriever of a project.

        Args:
            root: The project's root folder.
            release: A version such as "v3"; "current"; "none" for the outputs in the working tree,
                released or not; "auto" for the current release if there is one, else "none".

        Raises:
            ReleaseError: If there is no such release.
            ArtifactError: If an artefact is missing or damaged, or model, index and items do not
                come from one run.
        """
        paths = Paths(Path(root))
        folder = find_release(paths.root, release)
        if folder is None:
            parts = paths.retriever, paths.index, paths.items
            return cls(*_read(*parts, hint="Run `dvc repro`."), paths.root)
        hint = f"`smar verify` tells what is wrong with {folder}, `smar rollback` leaves it."
        folder = folder.resolve()
        try:
            version = str(read_manifest(folder, KIND).details["version"])
        except ArtifactError as error:
            raise ArtifactError(f"{error} {hint}") from error
        parts = folder / "model", folder / "index", folder / "items.parquet"
        model, index, items = _read(*parts, hint=hint)
        items["image_ids"] = pd.Series(
            _pictures_now(items, folder / "pictures.parquet", paths), items.index
        )
        return cls(model, index, items, paths.root, version)

    def search(self, query: str, k: int = 10) -> list[Hit]:
        """Return the k best items for a query, fewer if there are fewer; as `search_many`."""
        return self.search_many([query], k)[0]

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """Return the k best items for each query.

        Raises:
            DataError: If a query has no text, or k is no whole number or below 1.
        """
        k = whole_k(k, len(self.items))
        texts = [normalize_query(query) for query in queries]
        if "" in texts:
            raise DataError(f"query {texts.index('') + 1} has no text. Give at least one word.")
        encoded = encode_queries(self.model, texts)
        scores, rows = self.index.search(texts, encoded, k)
        return [self._hits(*found) for found in zip(scores, rows, strict=True)]

    def gate(self, query: str) -> float:
        """Return P(q) in [0, 1]: how much the picture counts for a query."""
        return float(encode_queries(self.model, [normalize_query(query)]).gate[0])

    @property
    def word_share(self) -> float:
        """How much of a score an item's words are, in [0, 1); the vectors are the rest."""
        return self.index.word_share

    def _hits(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> list[Hit]:
        """Return the hits at rows of the item table, [k] each; rows below 0 are no item."""
        found = rows >= 0
        # One selection of all rows: a pandas row by itself costs more than the whole search.
        items = self.items.iloc[rows[found]]
        columns = {name: items[name].tolist() for name in _SHOWN if name in items}
        return [
            Hit(
                rank=rank,
                score=round(float(score), 6),
                item_id=item["item_id"],
                title=item["title"],
                brand=item["brand"],
                category=item["category"],
                price=None if math.isnan(item["price"]) else float(item["price"]),
                currency=item["currency"],
                image_ids=np.asarray(item["image_ids"]).tolist(),
                link=item_link(item.get("more", "")),
            )
            for rank, (score, *values) in enumerate(
                zip(scores[found], *columns.values(), strict=True), start=1
            )
            for item in [dict(zip(columns, values, strict=True))]
        ]


def _read(
    model: Path, index: Path, items: Path, *, hint: str
) -> tuple[DualEncoder, HybridIndex, pd.DataFrame]:
    """Return a model, its index, and the items in the order of the index."""
    try:
        found = HybridIndex.load(index)
        if found.vectors.details["model_sha"] != digest(model):
            raise ArtifactError(f"{index}: was built with another model than {model} holds.")
        table = schema.read_table(items, schema.ITEMS).set_index("item_id", drop=False)
        missing = [item_id for item_id in found.item_ids if item_id not in table.index]
        if missing:
            raise ArtifactError(
                f"{items}: {len(missing)} items of the index are not there (first: '{missing[0]}')."
            )
        return load_model(model), found, table.loc[found.item_ids]
    except ArtifactError as error:
        raise ArtifactError(f"{error} {hint}") from error


def _pictures_now(items: pd.DataFrame, pictures: Path, paths: Paths) -> list[NDArray[np.int64]]:
    """Return the rows that a release's pictures have in today's picture store.

    A picture is the same if its file's bytes are; one that left the shop is left out, and where no
    store is at hand (a clone that pulled a release, a store that is damaged) all are: a release
    answers without them.
    """
    none = [np.array([], np.int64)] * len(items)
    if not paths.images.is_dir():
        return none
    try:
        store = ImageStore.open(paths.images, verify=False)
    except ArtifactError as error:
        logger.warning("search goes on without pictures: %s", error)
        return none
    shas = pd.read_parquet(pictures)["sha256"].to_numpy()
    row_of = {sha: row for row, sha in enumerate(store.sha256)}
    now = np.array([row_of.get(sha, -1) for sha in shas], np.int64)
    found = [now[ids] for ids in items["image_ids"]]
    return [ids[ids >= 0] for ids in found]
