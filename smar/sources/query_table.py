"""The query table: each text that was searched for or judged, with its id and its split.

An id and a split are hashes of a text and of its stems, so that other texts change nothing of them:
`.smar/queries/` keeps those of the log, and only texts that are new are looked at. It may be
deleted at any time; what is damaged is made anew.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.closure import PARAMS, code_key
from smar.data import schema
from smar.data.arrow_numbers import numbers_of
from smar.data.membership import in_one_piece, places_of, rows_of
from smar.params import IngestParams
from smar.sources.kept_tables import ENDING, forget_others, read_tables, write_tables
from smar.sources.quarantine import Quarantine
from smar.sources.split import query_id_of, split_judged, split_logged

_LIBRARIES = ("PyStemmer", "pyarrow")
TEXTS = pa.schema([pa.field("query", pa.string()), pa.field("num_searches", pa.int64())])
"""Distinct texts of searches, in their order, and how many searches each had."""
_LOGGED = pa.schema([pa.field(name, pa.string()) for name in ("query", "query_id", "split")])


def searched_texts(searched: pd.Series) -> pa.Table:
    """Return the distinct texts of searches, in their order, `TEXTS`.

    Args:
        searched: The normalised text of each search.
    """
    counted = pc.value_counts(in_one_piece(pa.array(searched, pa.string())))
    texts = pa.table([counted.field("values"), counted.field("counts")], TEXTS)
    return texts.sort_by("query").combine_chunks()


def query_table(
    searched: pa.Table,
    judged: pd.DataFrame,
    params: IngestParams,
    seed: int,
    kept: Path | None = None,
) -> pa.Table:
    """Return the query table, `schema.QUERIES`: texts of the log in their order, then judged ones.

    Args:
        searched: As `searched_texts`.
        judged: Columns query_id and query (normalised) of the judged queries.
        params: The section `ingest`.
        seed: Decides the splits.
        kept: Where ids and splits are kept, None to make all of them.
    """
    texts = in_one_piece(searched["query"])
    counts = numbers_of(in_one_piece(searched["num_searches"])).astype(np.int64)
    split = split_judged(judged["query"], params.judgements.test_frac, seed)
    logged = _logged(texts, params.validation_frac, seed, split, kept)
    seen = np.append(counts, 0)[places_of(pa.array(judged["query"], pa.string()), texts)]
    held = {
        "query_id": judged["query_id"],
        "query": judged["query"],
        "split": judged["query"].map(split).astype(object),
    }
    columns = {
        name: pa.concat_arrays(
            [in_one_piece(logged[name]), in_one_piece(pa.array(held[name], pa.string()))]
        )
        for name in held
    }
    columns["num_searches"] = pa.array(np.concatenate([counts, seen]), pa.int64())
    return pa.table([columns[name] for name in schema.QUERIES.names], schema=schema.QUERIES)


def _logged(
    texts: pa.Array, validation_frac: float, seed: int, judged: dict[str, str], kept: Path | None
) -> pa.Table:
    """Return `_LOGGED` of distinct texts, of which only those are made that are not kept."""
    if kept is None:
        return _made(texts, validation_frac, seed, judged)
    told = repr((validation_frac, seed, sorted(judged.items())))
    how = code_key([__name__], _LIBRARIES, sha256(told.encode()).hexdigest(), but=PARAMS)
    path = kept / f"{how[:32]}{ENDING}"
    found = read_tables(path, 1)
    known = found.tables[0] if found else _LOGGED.empty_table()
    if in_one_piece(known["query"]).equals(texts):
        return known
    both = rows_of(texts, known, lambda new: _made(new, validation_frac, seed, judged))
    write_tables(path, [both], Quarantine(), {})
    forget_others(kept, {path.name.removesuffix(ENDING)})
    return both


def _made(texts: pa.Array, validation_frac: float, seed: int, judged: dict[str, str]) -> pa.Table:
    plain = texts.to_pylist()
    split = split_logged(plain, validation_frac, seed, judged)
    ids = list(map(query_id_of, plain))
    return pa.table([plain, ids, [split[text] for text in plain]], schema=_LOGGED)
