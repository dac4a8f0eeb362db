"""Search: a text query to the items of the index."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smar.artifacts import digest
from smar.data import schema
from smar.data.schema import normalize_query
from smar.errors import ArtifactError, DataError
from smar.index.ann import VectorIndex, gated_queries
from smar.models.encode import encode_queries
from smar.models.io import load_model
from smar.models.retriever import RetrieverModel
from smar.paths import Paths


@dataclass(frozen=True)
class Hit:
    """An item that was found.

    Args:
        rank: From 1.
        score: Similarity in [-1, 1].
        item_id: The item's id.
        title: Its title.
        brand: Its brand, "" if unknown.
        category: Its category, "" if unknown.
        price: Its price, None if unknown.
        currency: Currency of the price.
        image_ids: Its pictures in the picture store, main one first.
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

    def as_dict(self) -> dict[str, Any]:
        """Return the hit in plain types."""
        return asdict(self)


class Retriever:
    """A project's model, index and item table, ready to search.

    Args:
        model: The model.
        index: The index of its embeddings.
        items: Item table in the order of the index.
        root: The project's root folder.
    """

    def __init__(
        self, model: RetrieverModel, index: VectorIndex, items: pd.DataFrame, root: Path
    ) -> None:
        self.model, self.index, self.items, self.root = model, index, items, root

    @classmethod
    def load(cls, root: Path | str = ".") -> "Retriever":
        """Return the retriever of a project that `dvc repro` has run in.

        Raises:
            ArtifactError: If an artefact is missing or damaged, or model, index and items do not
                come from one run.
        """
        paths = Paths(Path(root))
        index = VectorIndex.load(paths.index)
        if index.details["model_sha"] != digest(paths.retriever):
            raise ArtifactError(
                f"{paths.index}: was built with another model than {paths.retriever} holds. Run "
                "`dvc repro` so that they belong together."
            )
        table = schema.read_table(paths.items, schema.ITEMS).set_index("item_id", drop=False)
        missing = [item_id for item_id in index.item_ids if item_id not in table.index]
        if missing:
            raise ArtifactError(
                f"{paths.items}: {len(missing)} items of the index are not there (first: "
                f"'{missing[0]}'). Run `dvc repro`."
            )
        return cls(load_model(paths.retriever), index, table.loc[index.item_ids], Path(root))

    def search(self, query: str, k: int = 10) -> list[Hit]:
        """Return the k best items for a query, fewer if there are fewer; as `search_many`."""
        return self.search_many([query], k)[0]

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """Return the k best items for each query.

        Raises:
            DataError: If a query has no text or k is below 1.
        """
        texts = [normalize_query(query) for query in queries]
        if "" in texts:
            raise DataError(f"query {texts.index('') + 1} has no text. Give at least one word.")
        encoded = encode_queries(self.model, texts)
        scores, rows = self.index.search(gated_queries(encoded.vector, encoded.gate), k)
        return [
            [
                self._hit(rank, float(score), int(row))
                for rank, (score, row) in enumerate(zip(*found, strict=True), start=1)
                if row >= 0
            ]
            for found in zip(scores, rows, strict=True)
        ]

    def gate(self, query: str) -> float:
        """Return P(q) in [0, 1]: how much the picture counts for a query."""
        return float(encode_queries(self.model, [normalize_query(query)]).gate[0])

    def _hit(self, rank: int, score: float, row: int) -> Hit:
        item = self.items.iloc[row]
        return Hit(
            rank=rank,
            score=round(score, 6),
            item_id=item["item_id"],
            title=item["title"],
            brand=item["brand"],
            category=item["category"],
            price=None if math.isnan(item["price"]) else float(item["price"]),
            currency=item["currency"],
            image_ids=np.asarray(item["image_ids"]).tolist(),
        )
