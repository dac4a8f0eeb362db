"""What the query table promises."""

from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.membership import are_ascending, in_one_piece, places_of
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
    holds,
    one_of,
    promised,
    promises,
)
from smar.validation.items import BROKEN_TEXT, MARKUP, one_row
from smar.validation.kept_facts import KeptFacts
from smar.validation.language import sample, script_shares

# Printable ASCII without capitals, single blanks between.
_PLAIN = r"^[!-@\[-~]+( [!-@\[-~]+)*$"
_MARKUP = rf"{MARKUP}|https?://|www\."
# A row without an id of its own would take the others with it, so that nothing is accepted.
_IDS = [rule for rule in row_rules.QUERIES if rule.column == "query_id"]
_TEXT = [rule for rule in row_rules.QUERIES if rule.column == "query"]
_ASKED = ("is_normal", "is_readable", "is_plain", "chars", *(rule.short_name for rule in _TEXT))


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
             between("chars", most=params.max_query_chars), "query"),
        Rule("text_readable", QUARANTINE, "text without broken characters",
             holds("is_readable"), "query"),
        Rule("text_plain", QUARANTINE, "text without HTML and addresses",
             holds("is_plain"), "query"),
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


_ID_UNIQUE = "id_unique"
_OF_BOTH = ("queries", "searches")
_SEARCHED, _TEXTS, _CLAIMS = "searched", "queries", "query_claims"


class SearchQueries(NamedTuple):
    """Which queries searches are of.

    Args:
        rows: Row of the first query with the id that each search names, -1 for none, [R].
        first: Row of the first query with the id of each query, [Q].
        before: Row that each query's id had first in an earlier run, -1 for none, [Q].
    """

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    before: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, searches: pa.Table, kept: KeptFacts | None = None) -> Self:
        """Return which of the queries, [Q], the searches are of, [R].

        Args:
            table: The queries.
            searches: The searches.
            kept: Facts that an earlier run found.
        """
        kept = KeptFacts() if kept is None else kept
        both = (_SEARCHED, _TEXTS)
        if all(kept.of_files(name, _OF_BOTH) is not None for name in both):
            rows, first = kept.of_all(_SEARCHED)["row"], kept.of_all(_TEXTS)["first"]
            first, rows = (found.to_numpy().astype(np.int64) for found in (first, rows))
            return cls(rows, first, np.arange(len(first)))
        ids = in_one_piece(table["query_id"])
        before = np.full(len(ids), -1)
        if kept.are_of_same_files(both):
            before = places_of(ids, in_one_piece(kept.of_all(_TEXTS)["query_id"]))
        rows = _rows_searched(ids, searches, kept, before)
        facts = pa.table({"row": pa.array(rows.astype(np.int32))})
        kept.keep_of_files(_SEARCHED, facts, _OF_BOTH, ("searches", searches))
        return cls(rows, _first(ids, before), before)

    def knows(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which searches, [R], name the id of a query that is kept, [Q]."""
        is_kept = np.zeros(len(self.first) + 1, bool)  # the last of a search without one
        is_kept[self.first[kept]] = True
        return is_kept[self.rows]

    def counts(self, accepted: NDArray[np.bool_] | slice = slice(None)) -> NDArray[np.int64]:
        """Return how many of the searches that are accepted, [R], name the id of each query."""
        rows = self.rows[accepted]
        return np.bincount(rows[rows >= 0], minlength=len(self.first))[self.first]


def _first(ids: pa.Array, before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of the first query with the id of each, [Q].

    Args:
        ids: Their ids, [Q].
        before: As of `SearchQueries`.
    """
    there = before >= 0
    new = ids.filter(pa.array(~there))
    if np.bincount(before[there], minlength=1).max() <= 1 and len(pc.unique(new)) == len(new):
        return np.arange(len(ids))
    return places_of(ids, ids)


def _rows_searched(
    ids: pa.Array, searches: pa.Table, kept: KeptFacts, before: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the row of the first query with the id that each search names, -1 for none, [R].

    Searches that are as they were name the query that they named, wherever it is now.

    Args:
        ids: Ids of the queries, [Q].
        searches: The searches.
        kept: Facts that an earlier run found.
        before: As of `SearchQueries`.
    """
    there = np.flatnonzero(before >= 0)[::-1]  # the first one of an id is the last to be written
    stand = kept.same_rows(_SEARCHED, "searches", searches) if len(there) else 0
    rows = np.full(len(searches), -1, np.int64)
    if stand:
        now = np.full(len(kept.of_all(_TEXTS)) + 1, -1)  # the last of a search without a query
        now[before[there]] = there
        rows[:stand] = now[kept.of_all(_SEARCHED)["row"].to_numpy()[:stand]]
    asked = np.flatnonzero((rows < 0) | (np.arange(len(rows)) >= stand))
    rows[asked] = places_of(searches["query_id"].take(pa.array(asked)), ids)
    return rows


def prepare(
    table: pa.Table, searched: SearchQueries, kept: KeptFacts | None = None
) -> pd.DataFrame:
    """Return the queries with the columns that the rules need.

    Args:
        table: The queries.
        searched: Which of them the searches are of, as ingested.
        kept: Facts that an earlier run found.
    """
    kept = KeptFacts() if kept is None else kept
    frame: pd.DataFrame = table.to_pandas()
    claims = kept.of_files(_CLAIMS, _OF_BOTH)
    if claims is None:
        facts = _facts_beside(table, searched, kept)
        claims = _claims(frame, facts, searched)
        kept.keep_of_files(_CLAIMS, claims, _OF_BOTH)
    frame = frame.assign(**{name: claims[name].to_numpy() for name in claims.column_names})
    frame["chars"] = frame["chars"].astype("int64")  # others are judged one by one
    return frame


def _claims(frame: pd.DataFrame, facts: pa.Table, searched: SearchQueries) -> pa.Table:
    """Return what queries say beside each other and beside the searches.

    Args:
        frame: The queries.
        facts: What their texts say of themselves.
        searched: Which of them the searches are of.
    """
    again = [rule for rule in _IDS if rule.short_name == _ID_UNIQUE]
    alone = [rule for rule in _IDS if rule.short_name != _ID_UNIQUE]
    numbers = pd.DataFrame({"query_id": searched.first})  # which are equal where the ids are
    claims = promises(frame, alone, {}) | promises(numbers, again, {})
    texts, split = in_one_piece(facts["query"]), pa.array(frame["split"], pa.string())
    logged = np.flatnonzero(~_is_judged(frame))
    some = texts if len(logged) == len(texts) else texts.take(pa.array(logged))
    is_in_one = np.ones(len(frame), bool)
    if not are_ascending(some):  # as ingest writes them: none comes twice
        is_in_one[logged[some.to_pandas().duplicated().to_numpy()]] = False
    frame = frame.assign(is_in_one_split=is_in_one)
    count = count_searches(frame, searched.counts())
    return pa.table(
        {
            **{name: claim.to_numpy(bool) for name, claim in claims.items()},
            "is_in_one_split": is_in_one,
            "is_no_leak": ~_leaks(in_one_piece(split), in_one_piece(facts["bag"])),
            "counts_agree": frame["num_searches"].to_numpy() == count,
            **{name: facts[name] for name in _ASKED},
        }
    )


def _facts(texts: pa.Array) -> pa.Table:
    """Return what texts say of themselves: their stems, and what rules ask of them alone."""
    bags = pa.array([bag_of_stems(text) for text in texts.to_pylist()], pa.string())
    claims: dict[str, Any] = {
        "is_normal": _is_normal(texts),
        "is_readable": pc.invert(pc.match_substring_regex(texts, BROKEN_TEXT)),
        "is_plain": pc.invert(pc.match_substring_regex(texts, _MARKUP)),
        "chars": pc.utf8_length(texts),
    }
    promised_alone = promises(pd.DataFrame({"query": texts.to_pandas()}), _TEXT, {})
    claims |= {name: claim.to_numpy(bool) for name, claim in promised_alone.items()}
    return pa.table({"query": texts, "bag": bags, **{name: claims[name] for name in _ASKED}})


def _facts_beside(table: pa.Table, searched: SearchQueries, kept: KeptFacts) -> pa.Table:
    """Return `_facts` of queries, found of texts that the id had not in an earlier run."""
    texts, known = in_one_piece(table["query"]), kept.of_all(_TEXTS)
    place = searched.before.copy()
    if len(known):
        of_before = known["query"].take(pa.array(np.maximum(place, 0)))
        place[~pc.equal(in_one_piece(of_before), texts).to_numpy(False)] = -1
        new = _facts(texts.filter(pa.array(place < 0)))
        place[place < 0] = len(known) + np.arange(len(new))
        both = [known.select(new.column_names), new]
        found = pa.concat_tables(both).combine_chunks().take(pa.array(place))
    else:
        found = _facts(texts)
    about = {"query_id": table["query_id"], "first": pa.array(searched.first.astype(np.int32))}
    whole = pa.table({**about, **{name: found[name] for name in found.column_names}})
    kept.keep_of_files(_TEXTS, whole, _OF_BOTH)
    return found


def _is_normal(texts: pa.Array) -> NDArray[np.bool_]:
    """Return which texts are as `normalize_query` leaves them; most are seen to be at once."""
    normal = np.array(pc.match_substring_regex(texts, _PLAIN), bool)
    rest = np.flatnonzero(~normal)
    others = texts.take(pa.array(rest)).to_pylist()
    normal[rest] = [text == normalize_query(text) for text in others]
    return normal


_APART = {"test": ("train", "validation"), "validation": ("train", "test", "trial")}


def _leaks(split: pa.Array, bags: pa.Array) -> NDArray[np.bool_]:
    """Return which held-out queries share their stems with what they are held out from."""
    leaks = np.zeros(len(split), bool)
    rows_of = {name: np.flatnonzero(pc.equal(split, name).to_numpy(False)) for name in _APART}
    held = bags.take(pa.array(np.concatenate([*rows_of.values()])))
    beside = np.flatnonzero(pc.is_in(bags, value_set=held).to_numpy(False))
    split, those = split.take(pa.array(beside)), bags.take(pa.array(beside))
    for held_out, apart_from in _APART.items():
        rows = rows_of[held_out]
        some = bags.take(pa.array(rows))
        with_it = np.flatnonzero(pc.is_in(those, value_set=some).to_numpy(False))
        apart = pc.is_in(split.take(pa.array(with_it)), value_set=pa.array(apart_from))
        others = those.take(pa.array(with_it[apart.to_numpy(False)]))
        leaks[rows] = pc.is_in(some, value_set=others).to_numpy(False)
    return leaks


def count_searches(queries: pd.DataFrame, by_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of searches of each query's text; a judged one shares those of its text.

    Args:
        queries: As `prepare` gives them, [Q].
        by_id: The number of searches that name the id of each, [Q].
    """
    is_other = ~queries["is_in_one_split"].to_numpy(bool) | _is_judged(queries)
    first = np.flatnonzero(~is_other)  # logged, and no earlier one has the text
    texts = pa.array(queries["query"][is_other], pa.string())
    logged = pa.array(queries["query"], pa.string())
    first = first[pc.is_in(logged, value_set=texts).to_numpy(False)[first]]
    whole = by_id.copy()
    whole[is_other] = np.append(by_id[first], 0)[places_of(texts, logged.take(pa.array(first)))]
    return whole


def _is_judged(queries: pd.DataFrame) -> NDArray[np.bool_]:
    return queries["split"].isin(JUDGED).to_numpy(bool)


def figures(frame: pd.DataFrame, kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the figures of the accepted queries, one row."""
    scripts = script_shares(sample(frame.loc[kept, "query"]))
    return one_row(
        rows=int(kept.sum()),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        main_script=max(scripts.values(), default=np.nan),
    )
