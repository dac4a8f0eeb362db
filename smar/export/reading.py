"""Reads an export for the scripts of engines, without smar."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Query = dict[str, Any]
"""A line of `smar encode`, or an entry of expected.json."""

_VECTOR_AND_WORDS = ("vector", "word_ids", "word_weights")


def about(export: Path) -> dict[str, Any]:
    """Return about.json: how many items and words there are, how long a vector is, and so on."""
    content: dict[str, Any] = json.loads((export / "about.json").read_text(encoding="utf-8"))
    return content


def batches(
    export: Path, size: int = 1000
) -> Iterator[tuple[list[dict[str, Any]], NDArray[np.float32], list[dict[int, float]]]]:
    """Yield items some at a time: their fields, vectors [n, 2 D], and weights by word.

    Fields are of JSON's types; those that nothing is known of are left out.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(export / "items.parquet") as file:
        for part in file.iter_batches(size):
            words = zip(part["word_ids"].to_pylist(), part["word_weights"].to_pylist(), strict=True)
            vectors = part["vector"].flatten().to_numpy().reshape(len(part), -1)
            fields = part.drop_columns(list(_VECTOR_AND_WORDS)).to_pylist()
            yield (
                [_known(row) for row in fields],
                vectors,
                [dict(zip(ids, weights, strict=True)) for ids, weights in words],
            )


def test_queries(export: Path) -> list[Query]:
    """Return the queries of expected.json, with what smar answers."""
    content: dict[str, list[Query]] = json.loads((export / "expected.json").read_text("utf-8"))
    return content["queries"]


def dense(query: Query) -> list[float]:
    """Return a query's vector with the share of the vectors in it: its dot product is a score."""
    if isinstance(query["vector"][0], list):
        raise NotImplementedError("a query has several vectors; search by each of them")
    share = 1 - query["shares"]["words"]
    return [share * number for number in query["vector"]]


def sparse(query: Query) -> dict[int, float]:
    """Return a query's weights by word; their share is in them."""
    return dict(zip(query["word_ids"], query["word_weights"], strict=True))


def without(query: Query) -> list[dict[str, Any]]:
    """Return what leaves an item out: one of each list of `words` among its `has_ids`.

    One that has any of `unless` stays.
    """
    return list(query["without"])


def conditions(query: Query, has: Callable[[list[int]], str]) -> list[str]:
    """Return the conditions of items that are left out, for engines that write "and" and "not".

    Args:
        query: The query.
        has: Returns the condition that any of some words is among an item's `has_ids`.
    """
    return [
        " and ".join([*map(has, each["words"]), *(f"not {has([w])}" for w in each["unless"])])
        for each in without(query)
    ]


def best(scores: dict[int, float], k: int) -> list[int]:
    """Return the k rows of the highest scores, best first, ties by row."""
    return sorted(scores, key=lambda row: (-scores[row], row))[:k]


def run(
    connect: Callable[[str], Any],
    load: Callable[[Any, Path], None],
    search: Callable[[Any, Query, int], list[str]],
) -> None:
    """Do what the command line says: `load PLACE`, or `answers PLACE > answers.ndjson`."""
    if len(sys.argv) != 3 or sys.argv[1] not in {"load", "answers"}:
        sys.exit(f"usage: {sys.argv[0]} load|answers PLACE")
    export = Path(__file__).parent.parent
    with connect(sys.argv[2]) as engine:
        if sys.argv[1] == "load":
            load(engine, export)
            return
        for query in test_queries(export):
            answer = {"query": query["query"], "item_ids": search(engine, query, 10)}
            sys.stdout.write(json.dumps(answer) + "\n")


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an item that something is known of."""
    plain = {name: str(value) if hasattr(value, "year") else value for name, value in row.items()}
    return {name: value for name, value in plain.items() if value not in (None, "", [])}
