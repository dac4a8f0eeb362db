"""What a trained row finds: its vectors as they are searched, each alone, and with words."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.papers.rows import DEFAULT
from benchmarks.papers.training import Ground
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.choice import share_by
from smar.index.exact import exact_search
from smar.index.hybrid import HybridIndex
from smar.index.language import stemmer_of
from smar.index.words import WordIndex
from smar.judging.runs import Run
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.params import IndexParams
from smar.seeding import generator

_BATCH, _DEPTH, _CHOICE_QUERIES = 256, 50, 400
_ALONE = ("text", "image", "multimodal")


def measured(
    ground: Ground, model: DualEncoder, variant: str, seed: int
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return facts of a row, and its values, one row per query of either set and system.

    Systems are `variant`, its vectors under its gate, and of the default row also
    `variant:SYSTEM`: each vector alone, and the search with the words of texts at the share that
    400 validation queries choose as smar chooses it.
    """
    shop = ground.shop
    items = encode_items(model, shop.items, ground.source, _BATCH)
    rows = gated_items(items.text, items.multimodal)
    hybrid = _with_words(ground, model, rows, seed) if variant == DEFAULT else None
    tables = []
    for queries in (ground.test, ground.validation):
        asked = encode_queries(model, queries.texts)
        found = {variant: exact_search(gated_queries(asked.vector, asked.gate), rows, _DEPTH)}
        if hybrid is not None:
            found[f"{variant}:words"] = hybrid.search(queries.texts, asked, _DEPTH)
            for name in _ALONE:
                found[f"{variant}:{name}"] = exact_search(
                    asked.vector, getattr(items, name), _DEPTH
                )
        runs = {name: Run(name, best, scores) for name, (scores, best) in found.items()}
        table = ground.per_query(queries, runs)
        gates = dict(zip(queries.query_ids, asked.gate.tolist(), strict=True))
        tables.append(table.assign(gate=table["query_id"].map(gates)))
    per_query = pd.concat(tables, ignore_index=True)
    own = per_query[(per_query["system"] == variant) & (per_query["set"] == ground.test.name)]
    facts: dict[str, Any] = {"recall@50": round(float(own["recall@50"].mean()), 4)}
    return facts | ({"word_share": hybrid.word_share} if hybrid else {}), per_query


def _with_words(
    ground: Ground, model: DualEncoder, rows: NDArray[np.float32], seed: int
) -> HybridIndex:
    """Return all items' gated rows in an exact index, words beside them at the chosen share."""
    ids, texts = list(ground.shop.items["item_id"]), ground.shop.texts
    index = build_index(rows, ids, IndexParams(exact_below=len(ids) + 1), lambda: rows[:1])
    hybrid = HybridIndex(index, WordIndex.build(texts, stemmer=stemmer_of(texts)), 0.0)
    order = generator(seed, "words of papers").permutation(len(ground.validation))
    choice = ground.validation.some(np.sort(order[:_CHOICE_QUERIES]))
    share = share_by(hybrid, choice, partial(encode_queries, model), _DEPTH)[0]
    return replace(hybrid, word_share=share)
