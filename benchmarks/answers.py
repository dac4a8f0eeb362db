"""What filters, facets, groups and whole hits add to a search, and columns against a data frame.

Run with `python -m benchmarks.answers`; prints a line for every part, on made-up items in groups of
similar ones.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray

from benchmarks.index import clustered, near
from smar.data import schema
from smar.index.allowed import Allowed
from smar.index.ann import gated_items, gated_queries, set_faiss_threads
from smar.index.building import build_index
from smar.index.exact import exact_search
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.models.dual_encoder import build_model
from smar.models.embeddings import QueryEmbeddings
from smar.models.encode import encode_queries
from smar.models.tokenizer import train_tokenizer
from smar.params import IndexParams, ModelParams
from smar.service.answer import Answer
from smar.service.filters import AnyOf, Filter
from smar.service.items import ItemTable
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

_SHARES = (0.8, 0.5, 0.2, 0.1, 0.01, 0.001)  # of items that filters allow
_QUERIES = 60
_LETTERS = str.maketrans("0123456789", "okbdfgmnpr")


def texts(number: int, words: int, rng: np.random.Generator) -> list[str]:
    """Return texts of so many words each, of 30,000 words as frequent as Zipf's law says.

    The words are of letters: one with a number at its end would also be found by its letters.
    """
    ranks = np.arange(1, 30_001)
    named = np.array([str(rank).translate(_LETTERS) for rank in ranks])
    drawn = rng.choice(named, (number, words), p=(1 / ranks) / (1 / ranks).sum())
    return [" ".join(row) for row in drawn]


def item_table(titles: Sequence[str], near_rows: NDArray[np.int64]) -> pa.Table:
    """Return items with what a shop's have, and flags that so many of them carry.

    Args:
        titles: One per item, [N].
        near_rows: Place of each item in an order that keeps similar ones together, [N].
    """
    number = len(titles)
    rng = np.random.default_rng(1)
    flags = {f"any {share}": rng.random(number) < share for share in _SHARES}
    flags |= {f"alike {share}": near_rows < share * number for share in _SHARES}
    more = [
        json.dumps({"material": "wool"} | {name: "yes" for name in flags if flags[name][row]})
        for row in range(number)
    ]
    frame = pd.DataFrame(
        dict.fromkeys(schema.ITEMS.names, "")
        | {
            "item_id": [f"item{row}" for row in range(number)],
            "title": titles,
            "description": [f"{title}, ready to ship." for title in titles],
            "brand": [f"Brand {one}" for one in rng.integers(300, size=number)],
            "category": [f"Shop > Part {one // 9} > {one}" for one in near_rows // 1000],
            "group_id": [f"g{one}" for one in rng.integers(number // 3 + 1, size=number)],
            "price": rng.integers(100, 20_000, number) / 100,
            "currency": "EUR",
            "availability": "in_stock",
            "more": more,
            "image_ids": [[row] for row in range(number)],
        }
        | dict.fromkeys(("price_max", "sale_price"), np.nan)
        | dict.fromkeys(("sale_from", "sale_to"), pd.NaT),
        columns=schema.ITEMS.names,
    )
    return pa.Table.from_pandas(frame, schema=schema.ITEMS, preserve_index=False)


def milliseconds(act: Callable[[int], object], number: int = _QUERIES) -> float:
    """Return the median processor time of acts 0 to `number` - 1, which run in this one thread."""
    act(0)
    spent = []
    for each in range(number):
        start = time.thread_time()
        act(each)
        spent.append(time.thread_time() - start)
    return float(np.median(spent)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=192)
    options = parser.parse_args()
    torch.set_num_threads(1)
    set_faiss_threads(1)
    rng = np.random.default_rng(0)
    text = clustered(options.items, options.dim, rng)
    vectors = gated_items(text, near(text, 0.5, rng))
    together = np.argsort(np.argsort(text @ near(text[:1], 0.1, rng)[0]))
    titles = texts(options.items, 8, rng)
    table = item_table(titles, together)
    model = build_model(
        ModelParams(dim=options.dim),
        query_tokenizer=train_tokenizer(titles[:1000], 1000, 16),
        text_tokenizer=train_tokenizer(titles[:1000], 1000, 16),
        picture_size=(80, 64),
    ).eval()
    chosen = rng.choice(options.items, _QUERIES, replace=False)
    asked = texts(_QUERIES, 3, rng)
    encoded = QueryEmbeddings(near(text[chosen], 0.5, rng), rng.random(_QUERIES, np.float32))
    words = WordIndex.build(titles)
    start = time.perf_counter()
    items = ItemTable(table, [f"{row:064d}" for row in range(options.items)])
    told = {"items": options.items, "columns_s": round(time.perf_counter() - start, 3)}
    queries = gated_queries(encoded.vector, encoded.gate)
    ids = [f"item{row}" for row in range(options.items)]
    for exact_below in (options.items + 1, 0):
        params = IndexParams(exact_below=exact_below, recall_at=50, word_share=0.0)
        found = build_index(vectors, ids, params, lambda: queries)
        start = time.perf_counter()
        shop = Retriever(lambda: model, HybridIndex(found, words, 0.4), items, Path())
        told["fields_s"] = round(time.perf_counter() - start, 3)
        print(json.dumps({"part": "load", "index": found.details["kind"], **told}), flush=True)
        _filters(shop, asked, encoded, vectors)
    _parts(shop, asked)
    _fetching(items, table)


def _filters(
    shop: Retriever, asked: list[str], encoded: QueryEmbeddings, vectors: NDArray[np.float32]
) -> None:
    """Print time and recall of searches by how many items a filter allows."""

    def search(condition: Filter | None, row: int) -> NDArray[np.int64]:
        one = QueryEmbeddings(encoded.vector[row : row + 1], encoded.gate[row : row + 1])
        allowed = None if condition is None else Allowed(shop.fields.mask(condition))
        return shop.index.search(asked[row : row + 1], one, 10, allowed)[1][0]

    gated = gated_queries(encoded.vector, encoded.gate)
    plain = milliseconds(partial(search, None))
    first = shop.index.vectors.search(gated, 200)[1]
    everything = np.ones(len(vectors), bool)
    for name in ["none", *(f"{kind} {share}" for kind in ("any", "alike") for share in _SHARES)]:
        condition = None if name == "none" else AnyOf(name, ("yes",))
        if condition and f"more.{name}" not in shop.fields.names:
            continue  # too few items for one to have it
        mask = everything if condition is None else shop.fields.mask(condition)
        spent = milliseconds(partial(search, condition))
        allowed = np.flatnonzero(mask)
        truth = exact_search(gated, vectors[allowed], min(10, len(allowed)))[1]
        within = None if condition is None else Allowed(mask)
        rows = shop.index.vectors.search(gated, 200, within)[1][:, : truth.shape[1]]
        shared = [len(np.intersect1d(allowed[a], b)) for a, b in zip(truth, rows, strict=True)]
        line = {
            "part": "search",
            "filter": name,
            "ms": round(spent, 3),
            "to_none": round(spent / plain, 2),
            "recall": round(float(np.mean(shared)) / truth.shape[1], 4),
            # A page of ten cut from the 200 best of all, as a filter after the search would.
            "page_cut_afterwards": round(float(np.minimum(10, mask[first].sum(1)).mean() / 10), 3),
        }
        print(json.dumps(line), flush=True)


def _parts(shop: Retriever, asked: list[str]) -> None:
    """Print the time of whole answers and what each wish adds."""
    condition = AnyOf("any 0.1", ("yes",))
    wishes: dict[str, dict[str, Any]] = {
        "plain": {},
        "filter": {"filters": condition},
        "facets": {"facets": ("brand", "category", "price", "availability", "material")},
        "groups": {"collapse": "group_id"},
        "sort": {"sort": "price"},
        "explain": {"explain": True},
        "page 100": {"offset": 990},
    }

    def answer(wish: dict[str, Any], row: int) -> Answer:
        return shop.answer(SearchRequest(query=asked[row], **wish))

    start = milliseconds(lambda row: encode_queries(shop.model, [asked[row]]))
    print(json.dumps({"part": "answer", "wish": "encode alone", "ms": round(start, 3)}))
    for name, wish in wishes.items():
        spent = milliseconds(partial(answer, wish))
        print(json.dumps({"part": "answer", "wish": name, "ms": round(spent, 3)}))


def _fetching(items: ItemTable, table: pa.Table) -> None:
    """Print the time of reading ten items by column, with Arrow, and from a data frame."""
    rng = np.random.default_rng(2)
    rows = rng.integers(len(items), size=(_QUERIES, 10))
    frame = table.to_pandas()
    ways: dict[str, Callable[[int], object]] = {
        "columns": lambda n: items.read(rows[n]),
        "arrow take": lambda n: table.take(pa.array(rows[n])).to_pylist(),
        "data frame": lambda n: {k: v.tolist() for k, v in frame.iloc[rows[n]].items()},
    }
    spent = {name: milliseconds(way) for name, way in ways.items()}
    for name, each in spent.items():
        ratio = round(each / spent["columns"], 1)
        print(json.dumps({"part": "fetch", "way": name, "ms": round(each, 3), "to_columns": ratio}))


if __name__ == "__main__":
    main()
