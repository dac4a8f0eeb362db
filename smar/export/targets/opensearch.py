"""OpenSearch 2.13 or later, with its k-NN plugin.

    alias send="curl -H 'Content-Type: application/json'"
    send -X PUT localhost:9200/smar-items -d @mapping.json
    send -X POST localhost:9200/_bulk --data-binary @bulk.ndjson
    send localhost:9200/smar-items/_search -d @query.json

or, for all test queries (send a large bulk.ndjson in parts, as the script does):

    pip install pyarrow numpy
    python search.py load http://localhost:9200
    python search.py answers http://localhost:9200 > answers.ndjson
    python ../selftest.py answers.ndjson

Written by OpenSearch's published mappings and queries, and not run by us. All items have one
length, the root of 2, so that the cosine times both lengths is the inner product. The script's
score is 1 + smar's.
"""

import math
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

_SCORE = "double score = 1 + params.length * cosineSimilarity(params.vector, doc['vector']);"
_LENGTH = math.sqrt(2)  # of an item


def mapping(export: Path) -> dict[str, Any]:
    """Return what creates the index."""
    method = {"name": "hnsw", "engine": "faiss", "space_type": "innerproduct"}
    vector = {"type": "knn_vector", "dimension": about(export)["length"], "method": method}
    return {
        "settings": {"index": {"knn": True}},
        "mappings": {"dynamic": False, "properties": properties(vector)},
    }


def query_body(query: Query, k: int) -> dict[str, Any]:
    """Return a search's body."""
    vector = dense(query)
    nearest = {"knn": {"vector": {"vector": vector, "k": max(k, DEPTH), **among(query)}}}
    content = body(query, k, nearest, _SCORE)
    parameters = content["query"]["script_score"]["script"]["params"]
    parameters["length"] = _LENGTH * math.sqrt(sum(number * number for number in vector))
    return content


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
