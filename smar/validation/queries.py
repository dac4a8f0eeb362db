"""What the query table promises."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.membership import in_one_piece, rows_of
from smar.data.schema import JUDGED, SPLITS, normalize_query
from smar.data.stems import bag_of_stems
from smar.params import QueryRules
from smar.validation.contract import (
    QUARANTINE,
    STOP,
    WARN,
    Contract,
    Rule,
    between,
    chars,
    holds,
    lacks,
    one_of,
    promised,
    promises,
)
from smar.validation.items import BROKEN_TEXT, MARKUP, one_row
from smar.validation.kept_facts import KeptFacts
from smar.validation.language import sample, script_shares

# Printable ASCII without capitals, single blanks between.
_PLAIN = r"^[!-@\[-~]+( [!-@\[-~]+)*$"
# A row without an id of its own would take the others with it, so that nothing is accepted.
_IDS = [rule for rule in row_rules.QUERIES if rule.column == "query_id"]
_TEXT = [rule for rule in row_rules.QUERIES if rule.column == "query"]


def rows(params: QueryRules) -> Contract:
    """Return what every query promises."""
    rules = [
        *promised(_IDS, STOP),
        Rule("split_known", STOP, f"one of {', '.join(SPLITS)}", one_of("split", SPLITS)),
        Rule("split_apart", STOP, "no logged text twice, none in two splits",
             holds("is_in_one_split"), "query"),
        Rule("no_leak", STOP,
             "no test or validation query with the stems of one that is trained on or chosen by",
             holds("is_no_leak"), "query"),
        Rule("searches_agree", STOP, "the number of its searches in the search table",
             holds("counts_agree"), "num_searches"),
        *promised(_TEXT),
        Rule("text_length", QUARANTINE, f"at most {params.max_query_chars} characters",
             chars("query", 0, params.max_query_chars)),
        Rule("text_readable", QUARANTINE, "text without broken characters",
             lacks("query", BROKEN_TEXT)),
        Rule("text_plain", QUARANTINE, "text without HTML and addresses",
             lacks("query", rf"{MARKUP}|https?://|www\.")),
        Rule("text_normal", QUARANTINE, "normalised text (NFKC, lower case, single spaces)",
             holds("is_normal"), "query"),
    ]  # fmt: skip
    return Contract("queries", "rows", rules, key="query_id")


def left() -> Contract:
    """Return what every accepted query promises once searches are left out."""
    rules = [
        Rule("still_searched", QUARANTINE, "a search that was accepted, if it ever had one",
             holds("is_still_searched"), "query"),
    ]  # fmt: skip
    return Contract("queries", "rows-left", rules, key="query_id")


def whole(params: QueryRules, max_quarantined_frac: float) -> Contract:
    """Return what the accepted queries promise together."""
    rules = [
        Rule("quarantined", STOP, f"at most {max_quarantined_frac:.0%} of the rows quarantined",
             between("quarantined", most=max_quarantined_frac)),
        Rule("one_script", WARN,
             f"one script for {params.min_main_script_frac:.0%} of the queries or more",
             between("main_script", params.min_main_script_frac)),
    ]  # fmt: skip
    return Contract("queries", "whole", rules)


def prepare(table: pa.Table, searches: pa.Table, kept: KeptFacts | None = None) -> pd.DataFrame:
    """Return the queries with the columns that the rules need.

    Args:
        table: The queries.
        searches: The searches, as ingested.
        kept: Facts that an earlier run found.
    """
    frame: pd.DataFrame = table.to_pandas()
    judged = frame["split"].isin(JUDGED)
    frame = frame.assign(**promises(frame, row_rules.QUERIES, {}))
    frame["is_in_one_split"] = judged | ~frame["query"].where(~judged).duplicated()
    found = _facts_beside(in_one_piece(table["query"]), KeptFacts() if kept is None else kept)
    frame["is_no_leak"] = ~_leaks(frame["split"].to_numpy(object), in_one_piece(found["bag"]))
    frame["counts_agree"] = frame["num_searches"] == count_searches(frame, searches["query_id"])
    frame["is_normal"] = found["is_normal"].to_numpy()
    return frame


def _facts(texts: pa.Array) -> pa.Table:
    """Return what texts say of themselves: their stems, whether they are normal."""
    bags = pa.array([bag_of_stems(text) for text in texts.to_pylist()], pa.string())
    return pa.table({"query": texts, "bag": bags, "is_normal": _is_normal(texts)})


def _facts_beside(texts: pa.Array, kept: KeptFacts) -> pa.Table:
    """Return `_facts`, found of texts that no earlier run met."""
    known = kept.of_all("queries")
    if not len(known):
        found = _facts(texts)
    elif in_one_piece(known["query"]).equals(texts):
        return known
    else:
        found = rows_of(texts, known, _facts)
    kept.keep_all("queries", found)
    return found


def _is_normal(texts: pa.Array) -> NDArray[np.bool_]:
    """Return which texts are as `normalize_query` leaves them; most are seen to be at once."""
    normal = np.array(pc.match_substring_regex(texts, _PLAIN), bool)
    rest = np.flatnonzero(~normal)
    others = texts.take(pa.array(rest)).to_pylist()
    normal[rest] = [text == normalize_query(text) for text in others]
    return normal


_APART = {"test": ("train", "validation"), "validation": ("train", "test", "trial")}


def _leaks(split: NDArray[np.object_], bags: pa.Array) -> NDArray[np.bool_]:
    """Return which held-out queries share their stems with what they are held out from."""
    leaks = np.zeros(len(split), bool)
    for held_out, apart_from in _APART.items():
        rows = np.flatnonzero(split == held_out)
        others = bags.filter(pa.array(np.isin(split, apart_from)))
        leaks[rows] = pc.is_in(bags.take(pa.array(rows)), value_set=others).to_numpy(False)
    return leaks


def count_searches(queries: pd.DataFrame, query_ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the number of searches of each query's text; a judged one shares those of its text."""
    counted = pc.value_counts(query_ids)
    is_logged = ~queries["split"].isin(JUDGED).to_numpy(bool)
    logged = queries[is_logged]
    again = logged["query"].duplicated().to_numpy()
    of_id = _at(logged["query_id"], counted.field("values"))
    counts = np.append(counted.field("counts").to_numpy(zero_copy_only=False), 0)[of_id]
    whole = np.empty(len(queries), np.int64)
    whole[is_logged] = counts
    others = ~is_logged
    others[np.flatnonzero(is_logged)[again]] = True
    first = pa.array(logged["query"], pa.string()).filter(pa.array(~again))
    of_text = _at(queries["query"][others], first)
    whole[others] = np.append(counts[~again], 0)[of_text]
    return whole


def _at(texts: pd.Series, among: pa.Array) -> NDArray[np.int64]:
    """Return the places of texts among others, -1 where they are not."""
    found = pc.index_in(pa.array(texts, pa.string()), value_set=among)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)


def figures(frame: pd.DataFrame, kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the figures of the accepted queries, one row."""
    scripts = script_shares(sample(frame.loc[kept, "query"]))
    return one_row(
        rows=int(kept.sum()),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        main_script=max(scripts.values(), default=np.nan),
    )
