"""What a shop looks like at one time: small samples of items, searches, embeddings and quality.

A release keeps the snapshot of the data it was made from; drift is the difference between that one
and one of today, taken with the same model.

Shapes: n sampled rows, D embedding length.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data import schema
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.judging import sets
from smar.models.encode import encode_items, encode_queries
from smar.params import EvaluateParams
from smar.paths import Paths
from smar.seeding import generator
from smar.service.ranking import rank
from smar.service.retriever import Retriever

ROWS = 3000
VECTORS = 800
PICTURES = 12
NO_CLICK = "(no click)"
EMBEDDINGS = ("text", "image", "query")
_TABLES = ("items", "searches", "clicks", "words", "quality")
_BATCH = 256


@dataclass(frozen=True)
class ShopTables:
    """The tables of a shop that a snapshot is taken of; as in `schema`.

    Args:
        items: Item table.
        queries: Query table.
        searches: Search table.
        engagements: Engagement table.
        images: Picture store.
        categories: Top category by item id, of every item that may have been clicked.
    """

    items: pd.DataFrame
    queries: pd.DataFrame
    searches: pd.DataFrame
    engagements: pd.DataFrame
    images: ImageStore
    categories: pd.Series

    def newest(self, days: float) -> "ShopTables":
        """Return the shop with the searches of the last days of the log only.

        A log without times is all of today.
        """
        if self.searches["timestamp"].isna().all():
            return self
        since = self.searches["timestamp"].max() - timedelta(days=days)
        searches = self.searches[self.searches["timestamp"] > since]
        kept = self.engagements["search_id"].isin(searches["search_id"])
        return replace(self, searches=searches, engagements=self.engagements[kept])


def read_shop(paths: Paths) -> ShopTables:
    """Return the tables of a project."""
    items = schema.read_table(paths.items, schema.ITEMS)
    return ShopTables(
        items=items,
        queries=schema.read_table(paths.queries, schema.QUERIES),
        searches=schema.read_table(paths.searches, schema.SEARCHES),
        engagements=schema.read_table(paths.engagements, schema.ENGAGEMENTS),
        images=ImageStore.of(paths),
        categories=items.set_index("item_id")["category"].map(top_category),
    )


@dataclass(frozen=True)
class Snapshot:
    """Samples of a shop at one time.

    Args:
        items: Sampled items: title, category (top level), price, picture (has one).
        searches: Sampled searches: query, asked (top category of the first item clicked), gate,
            shown (number of results), clicked (any).
        clicks: For every position from 1: how often it was shown and clicked.
        words: How many items ("items") and searches ("searches") hold a word.
        quality: Engaged items of held-out queries: query, item_id, timestamp of the last time,
            found (among the first k results), k.
        vectors: Embeddings of samples by name, [n, D]: item texts, item pictures, queries.
        owners: What the rows of vectors are of, by name, [n]: item ids, and texts of queries.
        pictures: Some pictures, uint8 [n, H, W, 3].
    """

    items: pd.DataFrame
    searches: pd.DataFrame
    clicks: pd.DataFrame
    words: pd.DataFrame
    quality: pd.DataFrame
    vectors: dict[str, NDArray[np.float32]]
    owners: dict[str, list[str]]
    pictures: NDArray[np.uint8]

    def write(self, folder: Path) -> None:
        """Write the snapshot as parquet and npy into a new folder."""
        folder.mkdir()
        for name in _TABLES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet", index=False)
        for name, values in self.vectors.items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        np.save(folder / "pictures.npy", self.pictures, allow_pickle=False)
        for name, owners in self.owners.items():
            table = pd.DataFrame({"owner": owners}, dtype="str")
            table.to_parquet(folder / f"{name}_owners.parquet", index=False)

    @classmethod
    def read(cls, folder: Path) -> "Snapshot":
        """Return what `write` wrote.

        Raises:
            ArtifactError: If a file is missing or cannot be read.
        """
        try:
            tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
            vectors = {
                name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in EMBEDDINGS
            }
            pictures = np.load(folder / "pictures.npy", allow_pickle=False)
            owners = {name: _read_owners(folder, name, vectors[name]) for name in EMBEDDINGS}
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{folder}: the drift reference cannot be read ({error}). `smar verify` tells what "
                "is damaged."
            ) from error
        return cls(**tables, vectors=vectors, owners=owners, pictures=pictures)


def _read_owners(folder: Path, name: str, vectors: NDArray[np.float32]) -> list[str]:
    """Return what vectors are of; in a snapshot that does not say it, equal ones are of one."""
    file = folder / f"{name}_owners.parquet"
    if file.is_file():
        return list(pd.read_parquet(file)["owner"])
    return [row.tobytes().hex() for row in vectors.round(3).reshape(len(vectors), -1)]


def take_snapshot(
    shop: ShopTables, retriever: Retriever, evaluate: EvaluateParams, seed: int
) -> Snapshot:
    """Return a snapshot of a shop, its embeddings and gates by the retriever's model."""
    rng = generator(seed, "snapshot")
    items = _sample(shop.items, ROWS, rng)
    texts = shop.queries.set_index("query_id")["query"]
    searched = shop.searches["query_id"].map(texts)
    searches = _searches(shop, searched, rng)
    encoded = encode_queries(retriever.model, retriever.index.read(list(searches["query"])))
    searches["gate"] = encoded.gate.astype(float)
    # A query of several vectors is told by all of them.
    sampled = encoded.vector[:VECTORS]
    vectors = {"query": sampled.reshape(len(sampled), sampled[0:1].size or sampled.shape[-1])}
    some = _sample(shop.items, VECTORS, rng)
    made = encode_items(retriever.model, some, shop.images, _BATCH)
    pictured = np.flatnonzero(made.image.any(axis=1))
    vectors |= {"text": made.text, "image": made.image[pictured]}
    first = [int(some["image_ids"].iloc[row][0]) for row in pictured[:PICTURES]]
    return Snapshot(
        items=pd.DataFrame(
            {
                "title": items["title"],
                "category": items["category"].map(top_category),
                "price": items["price"],
                "picture": items["image_ids"].str.len() > 0,
            }
        ),
        searches=searches,
        clicks=_clicks(shop),
        words=_words(shop.items["title"], searched),
        quality=_quality(shop, retriever, evaluate),
        vectors=vectors,
        owners={
            "query": list(searches["query"][:VECTORS]),
            "text": list(some["item_id"]),
            "image": list(some["item_id"].iloc[pictured]),
        },
        pictures=shop.images.read(np.array(first, np.int64)),
    )


def top_category(category: str) -> str:
    """Return the first level of "A > B > C"."""
    return category.split(" > ", maxsplit=1)[0]


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower case, as the vocabulary counts them."""
    return re.findall(r"\w+", text.lower())


def _sample(table: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return at most `most` rows in random order."""
    rows = rng.permutation(len(table))[:most]
    return table.iloc[rows].reset_index(drop=True)


def _searches(shop: ShopTables, searched: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    table = _sample(shop.searches.assign(query=searched), ROWS, rng)
    clicks = shop.engagements[shop.engagements["action"] == "click"]
    first = clicks.drop_duplicates("search_id").set_index("search_id")["item_id"]
    asked = table["search_id"].map(first).map(shop.categories).fillna(NO_CLICK)
    return pd.DataFrame(
        {
            "query": table["query"],
            "asked": asked,
            "shown": table["shown"].str.len().astype(float),
            "clicked": table["search_id"].isin(set(clicks["search_id"])),
        }
    )


def _clicks(shop: ShopTables) -> pd.DataFrame:
    """Return clicks and occasions by position: how often position p was shown and clicked."""
    shown = shop.searches["shown"].str.len().to_numpy()
    clicks = shop.engagements[shop.engagements["action"] == "click"]
    places = clicks["position"].dropna().astype("int64")
    positions = np.arange(1, int(shown.max(initial=0)) + 1)
    counted = places.value_counts()
    return pd.DataFrame(
        {
            "position": positions,
            "shown": [int((shown >= place).sum()) for place in positions],
            "clicks": [int(counted.get(place, 0)) for place in positions],
        }
    ).astype("int64")


def _words(titles: Iterable[str], queries: Iterable[str]) -> pd.DataFrame:
    counts = {
        "items": Counter(word for title in titles for word in set(words_of(title))),
        "searches": Counter(word for query in queries for word in set(words_of(query))),
    }
    words = sorted({*counts["items"], *counts["searches"]})
    table = {name: [count[word] for word in words] for name, count in counts.items()}
    return pd.DataFrame({"word": pd.Series(words, dtype="str")} | table)


def _quality(shop: ShopTables, retriever: Retriever, evaluate: EvaluateParams) -> pd.DataFrame:
    """Return the items that shoppers engaged for held-out queries, and which of them are found.

    With their times, so that two snapshots can be compared over windows of one length: a week knows
    fewer of a query's items than a year.
    """
    k = int(evaluate.primary.partition("@")[2])
    item_ids = retriever.index.item_ids
    known = shop.engagements[shop.engagements["item_id"].isin(set(item_ids))]
    queries = sets.validation_set(shop.queries, known, item_ids)
    text_of = dict(zip(queries.query_ids, queries.texts, strict=True))
    engaged = known[known["query_id"].isin(text_of)]
    last = engaged.groupby(["query_id", "item_id"])["timestamp"].max().reset_index()
    run = rank(retriever, queries, item_ids, k)
    found = {
        (query_id, item_ids[row])
        for query_id, rows in zip(queries.query_ids, run.rows, strict=True)
        for row in rows
        if row >= 0
    }
    pairs = zip(last["query_id"], last["item_id"], strict=True)
    return pd.DataFrame(
        {
            "query": last["query_id"].map(text_of).astype("str"),
            "item_id": last["item_id"],
            "timestamp": last["timestamp"],
            "found": np.array([pair in found for pair in pairs], dtype=bool),
            "k": k,
        }
    )
