"""What Elasticsearch and OpenSearch share: documents, the query around the score, the wire.

A document has its vector, the words that it has as numbers (`word_ids`, which find it) and their
weights to the digit (`word_codes`, one long for each: the word's number and the bits of its float).
The fields that engines have for sparse vectors keep nine bits of a weight, and rank otherwise.
"""

import json
import struct
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smar.export.reading import Query, batches, dense, sparse, test_queries, without

INDEX = "smar-items"
WORDS = (
    "for (long code : doc['word_codes']) {"
    " def weight = params.words[String.valueOf(code >> 32)];"
    " if (weight != null) { score += weight * Float.intBitsToFloat((int) code); } }"
    " return score;"
)
_HIDDEN = ["vector", "word_ids", "word_codes", "has_ids"]
DEPTH = 200


def properties(vector: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping's properties around that of the vector."""
    keywords = ("item_id", "brand", "category", "currency", "availability", "colour", "size")
    return {
        "row": {"type": "long"},
        **{name: {"type": "keyword"} for name in keywords},
        "title": {"type": "text"},
        "price": {"type": "double"},
        "sale_price": {"type": "double"},
        "more": {"type": "keyword", "index": False, "doc_values": False},
        "pictures": {"type": "keyword", "index": False},
        "vector": vector,
        "word_ids": {"type": "integer"},
        "word_codes": {"type": "long", "index": False},
        "has_ids": {"type": "integer"},
    }


def bulk(export: Path) -> Iterator[str]:
    """Yield the lines of bulk requests, two for each item."""
    for rows, vectors, words in batches(export):
        for row, vector, of_item in zip(rows, vectors, words, strict=True):
            yield json.dumps({"index": {"_index": INDEX, "_id": row["item_id"]}})
            yield json.dumps(
                row
                | {
                    "vector": vector.tolist(),
                    "word_ids": list(of_item),
                    "word_codes": [code_of(word, weight) for word, weight in of_item.items()],
                }
            )


def code_of(word: int, weight: float) -> int:
    """Return a word and the bits of its weight in one number."""
    return word << 32 | int(struct.unpack("<I", struct.pack("<f", weight))[0])


def left_out(query: Query) -> dict[str, Any]:
    """Return a `must_not` of the items that a query leaves out, nothing where there are none."""

    def has(words: list[int]) -> dict[str, Any]:
        return {"terms": {"has_ids": list(words)}}

    clauses = []
    for each in without(query):
        gone: dict[str, Any] = {"filter": [has(words) for words in each["words"]]}
        if each["unless"]:
            gone["must_not"] = [has(each["unless"])]
        clauses.append({"bool": gone})
    return {"must_not": clauses} if clauses else {}


def among(query: Query) -> dict[str, Any]:
    """Return a search of vectors' `filter` to the items that a query leaves, nothing for all."""
    gone = left_out(query)
    return {"filter": {"bool": gone}} if gone else {}


def body(query: Query, k: int, nearest: dict[str, Any], score: str) -> dict[str, Any]:
    """Return a search's body: what is near or has a word of the query, ranked by 1 + smar's score.

    Args:
        query: The query.
        k: Results.
        nearest: The engine's clause for the nearest.
        score: The script's line that declares `score` as 1 + the share of the vectors.
    """
    words = sparse(query)
    return {
        "size": k,
        "_source": {"excludes": _HIDDEN},
        "query": {
            "script_score": {
                "query": {
                    "bool": {
                        "should": [nearest, {"terms": {"word_ids": list(words)}}],
                        **left_out(query),
                    }
                },
                "script": {
                    "source": f"{score} {WORDS}",
                    "params": {
                        "vector": dense(query),
                        "words": {str(word): weight for word, weight in words.items()},
                    },
                },
            }
        },
        "sort": ["_score", {"row": "asc"}],
    }


def send(place: str, method: str, path: str, content: str) -> Any:
    """Return a server's answer to JSON.

    Raises:
        RuntimeError: If a bulk request had an error.
    """
    kind = "application/x-ndjson" if path == "_bulk" else "application/json"
    request = urllib.request.Request(  # noqa: S310 - the place is the caller's
        f"{place.rstrip('/')}/{path}",
        content.encode(),
        {"Content-Type": kind},
        method=method,
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer = json.load(response)
    if answer.get("errors"):
        raise RuntimeError(f"{path}: {json.dumps(answer)[:1000]}")
    return answer


def fill(place: str, export: Path, mapping: dict[str, Any]) -> None:
    """Make the index anew and fill it."""
    send(place, "DELETE", f"{INDEX}?ignore_unavailable=true", "")
    send(place, "PUT", INDEX, json.dumps(mapping))
    lines: list[str] = []
    for line in bulk(export):
        lines.append(line)
        if len(lines) >= 1000:
            send(place, "POST", "_bulk", "\n".join(lines) + "\n")
            lines.clear()
    if lines:
        send(place, "POST", "_bulk", "\n".join(lines) + "\n")
    send(place, "POST", f"{INDEX}/_refresh", "")


def found(place: str, content: dict[str, Any]) -> list[str]:
    """Return the ids that a search finds, best first."""
    answer = send(place, "POST", f"{INDEX}/_search", json.dumps(content))
    return [hit["_source"]["item_id"] for hit in answer["hits"]["hits"]]


def written(
    export: Path, mapping: dict[str, Any], query: Callable[[Query, int], dict[str, Any]]
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield mapping, data and an example of the query."""
    yield "mapping.json", [json.dumps(mapping, indent=2)]
    yield "bulk.ndjson", bulk(export)
    yield "query.json", [json.dumps(query(test_queries(export)[0], 10))]


@contextmanager
def connect(place: str) -> Iterator[str]:
    """Yield the server's address."""
    yield place
