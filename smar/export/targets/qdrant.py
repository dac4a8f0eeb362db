"""Qdrant: dense and sparse vectors of one point, scored together by a formula.

    pip install qdrant-client pyarrow numpy
    python search.py load http://localhost:6333             # or a folder: its local mode
    python search.py answers http://localhost:6333 > answers.ndjson
    python ../selftest.py answers.ndjson

`search` asks twice: first for the best by vector and by words, then for the exact sum of both
scores of just those. Qdrant's own fusions (RRF, DBSF) forget the scores.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smar.export.reading import Query, about, batches, dense, run, sparse, without

COLLECTION = "items"
_DEPTH = 200  # of each kind


@contextmanager
def connect(place: str) -> Iterator[Any]:
    """Yield a client of a server, or of a folder."""
    from qdrant_client import QdrantClient

    is_server = place.startswith(("http://", "https://"))
    client = QdrantClient(url=place) if is_server else QdrantClient(path=place)
    try:
        yield client
    finally:
        client.close()


def load(client: Any, export: Path) -> None:
    """Make the collection anew and fill it."""
    from qdrant_client import models

    client.delete_collection(COLLECTION)
    client.create_collection(
        COLLECTION,
        vectors_config={
            "vector": models.VectorParams(
                size=about(export)["length"], distance=models.Distance.DOT
            )
        },
        sparse_vectors_config={"words": models.SparseVectorParams()},
    )
    client.create_payload_index(COLLECTION, "has_ids", models.PayloadSchemaType.INTEGER)
    for rows, vectors, words in batches(export):
        points = [
            models.PointStruct(
                id=row["row"],
                payload=row,
                vector={
                    "vector": vector.tolist(),
                    "words": models.SparseVector(
                        indices=list(of_item), values=list(of_item.values())
                    ),
                },
            )
            for row, vector, of_item in zip(rows, vectors, words, strict=True)
        ]
        client.upsert(COLLECTION, points, wait=True)


def search(client: Any, query: Query, k: int) -> list[str]:
    """Return the ids of the k best items, best first."""
    from qdrant_client import models

    words = sparse(query)
    parts = {"vector": dense(query)}
    if words:
        parts["words"] = models.SparseVector(indices=list(words), values=list(words.values()))
    allowed = _allowed(query)
    found = client.query_batch_points(
        COLLECTION,
        [
            models.QueryRequest(query=value, using=name, limit=max(k, _DEPTH), filter=allowed)
            for name, value in parts.items()
        ],
    )
    ids = sorted({point.id for response in found for point in response.points})
    among = models.Filter(must=[models.HasIdCondition(has_id=ids)])
    exact = models.SearchParams(exact=True)
    answer = client.query_points(
        COLLECTION,
        prefetch=[
            models.Prefetch(query=value, using=name, filter=among, limit=len(ids), params=exact)
            for name, value in parts.items()
        ],
        query=models.FormulaQuery(
            formula=models.SumExpression(sum=[f"$score[{place}]" for place in range(len(parts))]),
            defaults={f"$score[{place}]": 0.0 for place in range(len(parts))},
        ),
        limit=k,
        with_payload=["item_id"],
    )
    return [point.payload["item_id"] for point in answer.points]


def _allowed(query: Query) -> Any:
    """Return a filter without the items that a query leaves out, None where it leaves out none."""
    from qdrant_client import models

    def has(words: list[int]) -> Any:
        return models.FieldCondition(key="has_ids", match=models.MatchAny(any=words))

    gone = [
        models.Filter(
            must=[has(words) for words in each["words"]],
            must_not=[has(each["unless"])] if each["unless"] else None,
        )
        for each in without(query)
    ]
    return models.Filter(must_not=gone) if gone else None


if __name__ == "__main__":
    run(connect, load, search)
