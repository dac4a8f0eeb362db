"""Milvus: a dense and a sparse field, both by inner product.

    pip install pymilvus milvus-lite pyarrow numpy
    python search.py load http://localhost:19530           # or a file items.db: milvus-lite
    python search.py answers http://localhost:19530 > answers.ndjson
    python ../selftest.py answers.ndjson

`search` asks for the best by vector and by words, and adds up both scores of each of those. Milvus'
own rankers count an item that only one of the two found as 0 in the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from smar.export.reading import Query, about, batches, best, conditions, dense, run, sparse

COLLECTION = "items"
_DEPTH = 200  # of each kind
_MOST_WORDS = 4096  # of an item, that Milvus holds in an array


@contextmanager
def connect(place: str) -> Iterator[Any]:
    """Yield a client of a server, or of a file."""
    from pymilvus import MilvusClient

    client = MilvusClient(place)
    try:
        if client.has_collection(COLLECTION):
            client.load_collection(COLLECTION)  # milvus-lite forgets it with its process
        yield client
    finally:
        client.close()


def load(client: Any, export: Path) -> None:
    """Make the collection anew and fill it."""
    from pymilvus import DataType

    if client.has_collection(COLLECTION):
        client.drop_collection(COLLECTION)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("row", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=about(export)["length"])
    schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field(
        "has_ids", DataType.ARRAY, element_type=DataType.INT64, max_capacity=_MOST_WORDS
    )
    index = client.prepare_index_params()
    index.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
    index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_collection(COLLECTION, schema=schema, index_params=index)
    for rows, vectors, words in batches(export):
        client.insert(
            COLLECTION,
            [
                row
                | {
                    "vector": vector.tolist(),
                    "words": of_item,
                    "has_ids": row.get("has_ids", [])[:_MOST_WORDS],
                }
                for row, vector, of_item in zip(rows, vectors, words, strict=True)
            ],
        )
    client.flush(COLLECTION)
    client.load_collection(COLLECTION)


def search(client: Any, query: Query, k: int) -> list[str]:
    """Return the ids of the k best items, best first."""
    vector, words, allowed = dense(query), sparse(query), _allowed(query)
    near = _hits(client, "vector", vector, max(k, _DEPTH), allowed)
    scores = {hit["row"]: hit["distance"] for hit in near}
    ids = {hit["row"]: hit["entity"]["item_id"] for hit in near}
    if words:
        worded = {hit["row"] for hit in _hits(client, "words", words, max(k, _DEPTH), allowed)}
        # A graph that is searched with a filter leaves out some: these are compared here.
        for item in _items(client, sorted(worded - scores.keys())):
            scores[item["row"]] = float(np.dot(vector, item["vector"]))
            ids[item["row"]] = item["item_id"]
        for hit in _hits(client, "words", words, len(scores), f"row in {sorted(scores)}"):
            scores[hit["row"]] += hit["distance"]
    return [ids[row] for row in best(scores, k)]


def _allowed(query: Query) -> str:
    """Return a condition without the items that a query leaves out, "" where it leaves out none."""

    def has(words: list[int]) -> str:
        return f"array_contains_any(has_ids, {list(words)})"

    return " and ".join(f"not ({one})" for one in conditions(query, has))


def _items(client: Any, rows: list[int]) -> list[Any]:
    if not rows:
        return []
    fields = ["row", "item_id", "vector"]
    return list(client.query(COLLECTION, filter=f"row in {rows}", output_fields=fields))


def _hits(client: Any, name: str, value: Any, limit: int, among: str = "") -> list[Any]:
    found = client.search(
        COLLECTION,
        data=[value],
        anns_field=name,
        limit=limit,
        filter=among,
        output_fields=["row", "item_id"],
        search_params={"metric_type": "IP"},
    )
    return list(found[0])


if __name__ == "__main__":
    run(connect, load, search)
