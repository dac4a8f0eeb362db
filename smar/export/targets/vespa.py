"""Vespa 8: an application package, its documents, and a query.

    cp ../embedder.onnx ../tokenizer.json application/models/     # for `embed(smar, @query)`
    vespa deploy application && vespa feed documents.jsonl
    curl localhost:8080/search/ -H 'Content-Type: application/json' -d @query.json

Written by Vespa's published schemas, and not run by us. Ranking is smar's score, to the digit of a
float. The embedder makes the query's vector in Vespa, without the share of the vectors: multiply
it by `1 - share` of words.json in the rank profile then. The words come from whoever asks.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from smar.export.reading import Query, about, batches, dense, sparse, test_queries, without

_DEPTH = 200
_TEXTS = ("item_id", "title", "brand", "category", "currency", "availability", "colour", "size")
_SCHEMA = """schema item {{
    document item {{
{texts}
        field price type double {{
            indexing: summary | attribute
        }}
        field vector type tensor<float>(d[{length}]) {{
            indexing: attribute | index
            attribute {{
                distance-metric: dotproduct
            }}
        }}
        field words type tensor<float>(word{{}}) {{
            indexing: attribute
        }}
        field word_ids type array<int> {{
            indexing: attribute
            attribute: fast-search
        }}
        field has_ids type array<int> {{
            indexing: attribute
            attribute: fast-search
        }}
    }}
    rank-profile smar {{
        inputs {{
            query(vector) tensor<float>(d[{length}])
            query(words) tensor<float>(word{{}})
        }}
        first-phase {{
            expression {{
                sum(query(vector) * attribute(vector)) +
                sum(query(words) * attribute(words))
            }}
        }}
    }}
}}"""
_TEXT = """        field {name} type string {{
            indexing: summary | attribute
        }}"""
_SERVICES = """<?xml version="1.0" encoding="utf-8" ?>
<services version="1.0">
  <container id="default" version="1.0">
    <search/>
    <document-api/>
    <component id="smar" type="hugging-face-embedder">
      <transformer-model path="models/embedder.onnx"/>
      <tokenizer-model path="models/tokenizer.json"/>
      <transformer-token-type-ids/>
      <max-tokens>{max_tokens}</max-tokens>
      <pooling-strategy>mean</pooling-strategy>
      <normalize>false</normalize>
    </component>
  </container>
  <content id="items" version="1.0">
    <min-redundancy>1</min-redundancy>
    <documents>
      <document type="item" mode="index"/>
    </documents>
    <nodes>
      <node distribution-key="0" hostalias="node1"/>
    </nodes>
  </content>
</services>"""


def documents(export: Path) -> Iterator[str]:
    """Yield a line for each item."""
    for rows, vectors, words in batches(export):
        for row, vector, of_item in zip(rows, vectors, words, strict=True):
            fields: dict[str, Any] = {name: row[name] for name in (*_TEXTS, "price") if name in row}
            fields |= {
                "vector": {"values": vector.tolist()},
                "words": {"cells": {str(word): weight for word, weight in of_item.items()}},
                "word_ids": list(of_item),
                "has_ids": row.get("has_ids", []),
            }
            yield json.dumps({"put": f"id:shop:item::{row['item_id']}", "fields": fields})


def query_body(query: Query, k: int) -> dict[str, Any]:
    """Return a search's body."""
    words = sparse(query)
    near = f"({{targetHits: {max(k, _DEPTH)}}}nearestNeighbor(vector, vector))"
    worded = f" or word_ids in ({', '.join(map(str, words))})" if words else ""
    gone = "".join(f" and !({_gone(each)})" for each in without(query))
    cells = ", ".join(f"{word}: {weight!r}" for word, weight in words.items())
    return {
        "yql": f"select * from item where ({near}{worded}){gone}",  # noqa: S608 - numbers only
        "ranking.profile": "smar",
        "input.query(vector)": json.dumps(dense(query)),
        "input.query(words)": f"{{{cells}}}",
        "hits": k,
    }


def _gone(each: dict[str, Any]) -> str:
    """Return the condition of an item that is left out."""
    conditions = [f"has_ids in ({', '.join(map(str, words))})" for words in each["words"]]
    if each["unless"]:
        conditions.append(f"!(has_ids in ({', '.join(map(str, each['unless']))}))")
    return " and ".join(conditions)


def files(export: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the application package, documents and an example of the query."""
    facts = about(export)
    texts = "\n".join(_TEXT.format(name=name) for name in _TEXTS)
    yield "application/schemas/item.sd", [_SCHEMA.format(texts=texts, **facts)]
    yield "application/services.xml", [_SERVICES.format(**facts)]
    yield "application/models/README.md", ["embedder.onnx and tokenizer.json of the export."]
    yield "documents.jsonl", documents(export)
    yield "query.json", [json.dumps(query_body(test_queries(export)[0], 10))]
