"""Elasticsearch 8.14 or later.

    alias send="curl -H 'Content-Type: application/json'"
    send -X PUT localhost:9200/smar-items -d @mapping.json
    send -X POST localhost:9200/_bulk --data-binary @bulk.ndjson
    send localhost:9200/smar-items/_search -d @query.json

or, for all test queries (send a large bulk.ndjson in parts, as the script does):

    pip install pyarrow numpy
    python search.py load http://localhost:9200
    python search.py answers http://localhost:9200 > answers.ndjson
    python ../selftest.py answers.ndjson

Written by Elastic's published mappings and queries, and not run by us. Items have a length of
1.414, so that the similarity must be `max_inner_product`; `index_options` keep floats, where
vectors of 384 numbers and more would be stored as bits. The script's score is 1 + smar's.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from smar.export.reading import Query, about, dense, run
from smar.export.targets._lucene import (
    DEPTH,
    among,
    body,
    connect,
    fill,
    found,
    properties,
    written,
)

_SCORE = "double score = 1 + dotProduct(params.vector, 'vector');"


def mapping(export: Path) -> dict[str, Any]:
    """Return what creates the index."""
    vector = {
        "type": "dense_vector",
        "dims": about(export)["length"],
        "similarity": "max_inner_product",
        "index_options": {"type": "hnsw"},
    }
    return {"mappings": {"dynamic": False, "properties": properties(vector)}}


def query_body(query: Query, k: int) -> dict[str, Any]:
    """Return a search's body."""
    depth = max(k, DEPTH)
    nearest = {
        "knn": {
            "field": "vector",
            "query_vector": dense(query),
            "k": depth,
            "num_candidates": 2 * depth,
            **among(query),
        }
    }
    return body(query, k, nearest, _SCORE)


def files(export: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield mapping, data and an example of the query."""
    yield from written(export, mapping(export), query_body)


def load(place: str, export: Path) -> None:
    """Make the index anew and fill it."""
    fill(place, export, mapping(export))


def search(place: str, query: Query, k: int) -> list[str]:
    """Return the ids of the k best items, best first."""
    return found(place, query_body(query, k))


if __name__ == "__main__":
    run(connect, load, search)
