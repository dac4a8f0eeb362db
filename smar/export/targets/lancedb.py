"""LanceDB: vectors in one table, the words of items in another.

    pip install lancedb pyarrow numpy
    python search.py load ./items.lance        # a folder, or an address of an object store
    python search.py answers ./items.lance > answers.ndjson
    python ../selftest.py answers.ndjson

LanceDB has no sparse vectors, and its text search has words and weights of its own. So the weights
of words are rows (word, row, weight) with an index on the word, and a query's score of the words is
a sum over a few of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smar.export.reading import Query, about, batches, best, conditions, dense, run, sparse

_DEPTH = 200  # of each kind
_LARGE = 50_000  # items from which on a vector index pays
_FIELDS = ("item_id", "title", "brand", "category", "currency", "availability", "colour", "size")


@contextmanager
def connect(place: str) -> Iterator[Any]:
    """Yield a database."""
    import lancedb

    yield lancedb.connect(place)


def load(database: Any, export: Path) -> None:
    """Make both tables anew and fill them."""
    import pyarrow as pa

    length, num_items = about(export)["length"], about(export)["num_items"]
    items_schema = pa.schema(
        [
            pa.field("row", pa.int64()),
            *(pa.field(name, pa.string()) for name in _FIELDS),
            pa.field("price", pa.float64()),
            pa.field("has_ids", pa.list_(pa.int32())),
            pa.field("vector", pa.list_(pa.float32(), length)),
        ]
    )
    words_schema = pa.schema(
        [
            pa.field("word", pa.int32()),
            pa.field("row", pa.int64()),
            pa.field("weight", pa.float32()),
        ]
    )
    items = database.create_table("items", schema=items_schema, mode="overwrite")
    words = database.create_table("words", schema=words_schema, mode="overwrite")
    for rows, vectors, of_items in batches(export):
        content = [
            {name: row.get(name) for name in ("row", "price", "has_ids", *_FIELDS)}
            | {"vector": vector}
            for row, vector in zip(rows, vectors.tolist(), strict=True)
        ]
        items.add(pa.Table.from_pylist(content, schema=items_schema))
        entries = [
            {"word": word, "row": row["row"], "weight": weight}
            for row, of_item in zip(rows, of_items, strict=True)
            for word, weight in of_item.items()
        ]
        words.add(pa.Table.from_pylist(entries, schema=words_schema))
    items.create_scalar_index("row")
    words.create_scalar_index("word")
    if num_items >= _LARGE:
        items.create_index(metric="dot", vector_column_name="vector")


def search(database: Any, query: Query, k: int) -> list[str]:
    """Return the ids of the k best items, best first."""
    items = database.open_table("items")
    words = _words(database.open_table("words"), sparse(query))
    gone = _gone(items, query)
    words = {row: score for row, score in words.items() if row not in gone}
    depth = max(k, _DEPTH)
    # So many more are looked for that enough stay.
    near = _near(items, query, depth + len(gone)).column("row").to_pylist()
    near = [row for row in near if row not in gone][:depth]
    among = sorted({*near, *best(words, depth)})
    condition = f"row in ({', '.join(map(str, among))})"
    found = _near(items, query, len(among), condition).to_pydict()
    # Its distance by "dot" is 1 - the dot product.
    scores = {
        row: 1 - distance + words.get(row, 0.0)
        for row, distance in zip(found["row"], found["_distance"], strict=True)
    }
    ids = dict(zip(found["row"], found["item_id"], strict=True))
    return [ids[row] for row in best(scores, k)]


def _gone(items: Any, query: Query) -> set[int]:
    """Return the rows that a query leaves out."""

    def has(words: list[int]) -> str:
        return f"array_has_any(has_ids, [{', '.join(map(str, words))}])"

    gone = conditions(query, has)
    if not gone:
        return set()
    condition = " or ".join(f"({one})" for one in gone)
    found = items.search().where(condition).select(["row"]).limit(items.count_rows()).to_arrow()
    return set(found.column("row").to_pylist())


def _near(items: Any, query: Query, limit: int, condition: str = "") -> Any:
    search_ = items.search(dense(query), vector_column_name="vector").distance_type("dot")
    if condition:
        search_ = search_.where(condition, prefilter=True).bypass_vector_index()
    return search_.select(["row", "item_id", "_distance"]).limit(limit).to_arrow()


def _words(words: Any, of_query: dict[int, float]) -> dict[int, float]:
    """Return the score of the words of every item that has one of the query's."""
    if not of_query:
        return {}
    condition = f"word in ({', '.join(map(str, of_query))})"
    found = words.search().where(condition).limit(words.count_rows()).to_arrow().to_pydict()
    scores: dict[int, float] = {}
    for word, row, weight in zip(found["word"], found["row"], found["weight"], strict=True):
        scores[row] = scores.get(row, 0.0) + of_query[word] * weight
    return scores


if __name__ == "__main__":
    run(connect, load, search)
