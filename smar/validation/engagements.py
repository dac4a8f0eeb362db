"""What the engagement table promises."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data import row_rules
from smar.data.arrow_content import digest_of
from smar.data.membership import is_in, places_of
from smar.data.schema import ACTIONS
from smar.params import LogRules
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
from smar.validation.items import one_row, those_left
from smar.validation.kept_facts import KeptFacts

_DAY = 86_400_000_000  # microseconds
_TOP, _LOWER = 3, 8  # places 1 to 3 against place 8 and below
_FEWEST_CLICKS = 200  # with fewer, click-through by place is noise


def rows(params: LogRules) -> Contract:
    """Return what every engagement promises."""
    rules = [
        *promised(row_rules.ENGAGEMENTS),
        Rule("query_agrees", QUARANTINE, "the query of its search", holds("agrees_on_query"),
             "query_id"),
        Rule("action_known", QUARANTINE, f"one of {', '.join(ACTIONS)}",
             one_of("action", ACTIONS)),
        Rule("position_range", QUARANTINE, f"a position from 1 to {params.max_position}",
             between("position", 1, params.max_position)),
        Rule("position_agrees", WARN, "the item that was shown at the position",
             holds("was_shown_there"), "position"),
        Rule("time_near", QUARANTINE,
             f"a time at most 1 day before and {params.max_days_after_search} days after its "
             "search", between("days_after_search", -1, params.max_days_after_search),
             "timestamp"),
        Rule("logged_once", QUARANTINE, "no second row of the search, item, action and time",
             holds("is_logged_once"), "timestamp"),
        Rule("not_a_bot", QUARANTINE,
             f"a search with at most {params.max_engagements_per_search} engagements",
             between("in_search", most=params.max_engagements_per_search), "search_id"),
    ]  # fmt: skip
    return Contract("engagements", "rows", rules, key="search_id")


def whole(params: LogRules, max_quarantined_frac: float) -> Contract:
    """Return what the accepted engagements promise together."""
    rules = [
        Rule("quarantined", STOP, f"at most {max_quarantined_frac:.0%} of the rows quarantined",
             between("quarantined", most=max_quarantined_frac)),
        Rule("click_through", STOP,
             f"an engagement after {params.min_click_through:.2%} of the searches or more",
             between("click_through", params.min_click_through)),
        Rule("click_through_most", WARN,
             f"a click for at most {params.max_click_through:.0%} of the searches with results",
             between("click_through_shown", most=params.max_click_through)),
        Rule("top_clicked_most", WARN,
             "more clicks per search on places 1 to 3 than on places from 8 on",
             between("lower_over_top", most=params.max_lower_over_top)),
        Rule("purchases_after_clicks", WARN, "no more purchases than clicks",
             between("purchases_per_click", most=1.0)),
    ]  # fmt: skip
    return Contract("engagements", "whole", rules)


def places(params: LogRules) -> Contract:
    """Return what every place of the results promises."""
    rules = [
        Rule("place_click_through", WARN,
             f"a click in at most {params.max_place_click_through:.0%} of the searches showing it",
             between("click_through", most=params.max_place_click_through)),
    ]  # fmt: skip
    return Contract("engagements", "places", rules, key="place")


def prepare(
    table: pa.Table,
    searches: pa.Table,
    searches_kept: NDArray[np.bool_],
    item_ids: pd.Series,
    kept: KeptFacts | None = None,
) -> pd.DataFrame:
    """Return what the rules need of the engagements.

    Args:
        table: The engagements.
        searches: The searches, as ingested.
        searches_kept: Which of them were accepted.
        item_ids: Ids of the accepted items.
        kept: Facts that an earlier run found.
    """
    asked = table.select(["action", "position"])
    frame: pd.DataFrame = asked.to_pandas(categories=["action"])  # of which there are a handful
    shop = _Shop(searches, searches_kept, item_ids)
    found = _facts(table, shop) if kept is None else _facts_beside(table, shop, kept)
    frame = frame.assign(**{name: found[name].to_numpy() for name in found.column_names})
    row = frame["search"].to_numpy(np.int64)
    known = row >= 0
    in_search = np.bincount(row[known], minlength=1)
    frame["in_search"] = np.where(known, in_search[np.where(known, row, 0)], 0)
    return frame


class _Shop(NamedTuple):
    """What engagements refer to: searches, which of them were accepted, ids of accepted items."""

    searches: pa.Table
    kept: NDArray[np.bool_]
    item_ids: pd.Series


def _facts(table: pa.Table, shop: _Shop) -> pa.Table:
    """Return what engagements say beside their searches and each other."""
    searches = shop.searches
    frame: pd.DataFrame = table.select(["search_id", "item_id", "position"]).to_pandas()
    row = _row_of_search(table["search_id"], searches["search_id"], shop.kept)
    known = row >= 0
    safe = np.where(known, row, 0)
    frame["search"] = row
    claims = promises(frame, row_rules.ENGAGEMENTS, {"item_id": shop.item_ids})
    found = {"search": row, **{name: claim.to_numpy() for name, claim in claims.items()}}
    found["agrees_on_query"] = np.ones(len(frame), bool)
    found["days_after_search"] = np.zeros(len(frame))
    found["was_shown_there"] = np.ones(len(frame), bool)
    if len(searches) and len(frame):
        theirs = searches["query_id"].take(pa.array(safe))
        same = pc.equal(theirs.combine_chunks(), table["query_id"].combine_chunks()).to_numpy(False)
        found["agrees_on_query"] = ~known | same
        start = searches["timestamp"].take(pa.array(safe)).cast(pa.int64()).cast(pa.float64())
        end = table["timestamp"].cast(pa.int64()).cast(pa.float64()).to_numpy()
        # Not a number where either has no time: then nothing can be said, and the rule is silent.
        found["days_after_search"] = np.where(known, (end - start.to_numpy()) / _DAY, 0.0)
        shown = _shown_at(searches["shown"], safe, frame["position"])
        matching = pc.equal(shown, table["item_id"].combine_chunks())
        found["was_shown_there"] = ~known | matching.fill_null(True).to_numpy(False)
    again = _codes(table, row).duplicated()
    found["is_logged_once"] = ~(again.to_numpy() & table["timestamp"].is_valid().to_numpy())
    return pa.table(found)


def _facts_beside(table: pa.Table, shop: _Shop, kept: KeptFacts) -> pa.Table:
    """Return `_facts`, found of rows that are new and of those that they meet."""
    stands, found, _ = kept.standing("engagements", table)
    told = digest_of(pa.array(shop.item_ids, pa.string()))
    if stands:
        # Those of searches that are other ones now do not stand, and nothing that follows them.
        same = kept.same_rows("engagements", "searches", shop.searches, shop.kept)
        row = found["search"].to_numpy()
        lost = np.flatnonzero(row >= same)
        stands = int(lost[0]) if len(lost) else stands
    if stands == 0:
        found = _facts(table, shop)
    else:
        found = found.slice(0, stands)
        if kept.told("engagements") != told:
            known = is_in(table["item_id"].slice(0, stands).to_pandas(), shop.item_ids)
            place = found.column_names.index("item_known")
            found = found.set_column(place, "item_known", pa.array(known.to_numpy()))
        found = _facts_grown(table, stands, found, shop)
    kept.keep("engagements", table, found, ("searches", shop.searches, shop.kept), told)
    return found


def _facts_grown(table: pa.Table, stands: int, before: pa.Table, shop: _Shop) -> pa.Table:
    """Return `_facts` of a table whose first rows are known, but for those without a search.

    A row that comes later changes nothing of an earlier one; a search that came may be one that was
    asked for.
    """
    row = before["search"].to_numpy()
    without = np.flatnonzero(row < 0)
    if stands == len(table) and not len(without):
        return before
    new = table.slice(stands)
    asked = pa.concat_tables([table.take(pa.array(without)), new])["search_id"]
    matter = pc.is_in(shop.searches["search_id"], value_set=asked.combine_chunks()).to_numpy()
    met = np.flatnonzero((row < 0) | np.append(matter, False)[row])
    part = pa.concat_tables([table.take(pa.array(met)), new])
    if not len(part):
        return before
    ids = pa.array(shop.item_ids, pa.string())
    ids = ids.filter(pc.is_in(ids, value_set=part["item_id"].combine_chunks()))
    places = np.flatnonzero(matter)
    some = _Shop(shop.searches.take(pa.array(places)), shop.kept[matter], ids.to_pandas())
    found = _facts(part, some)
    own = found["search"].to_numpy()
    both = {}
    for name in found.column_names:
        column = found[name].to_numpy()
        if name == "search" and len(places):
            column = np.where(own >= 0, places[np.maximum(own, 0)], -1)
        both[name] = np.concatenate([before[name].to_numpy(), column[len(met) :]])
        both[name][without] = column[np.searchsorted(met, without)]
    return pa.table(both)


def _codes(table: pa.Table, row: NDArray[np.int64]) -> pd.DataFrame:
    """Return numbers that are equal where search, item, action and time are.

    Args:
        table: The engagements.
        row: The row of each one's search, -1 where it was not accepted.
    """
    unknown = np.flatnonzero(row < 0)
    search = row.copy()
    search[unknown] = -1 - _numbered(table["search_id"].take(pa.array(unknown)))
    return pd.DataFrame(
        {
            "search": search,
            "item": _numbered(table["item_id"]),
            "action": _numbered(table["action"]),
            # A missing time is a value like another here: such rows are not asked for.
            "time": pc.fill_null(table["timestamp"].cast(pa.int64()), -1).to_numpy(),
        }
    )


def _numbered(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number for every distinct text, from 0."""
    coded = pa.chunked_array(texts).combine_chunks().dictionary_encode()
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)


def _row_of_search(
    ids: pa.ChunkedArray, search_ids: pa.ChunkedArray, kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the row of each engagement's search, -1 where it was not accepted."""
    accepted = np.flatnonzero(kept)
    known = search_ids.filter(pa.array(kept)).combine_chunks()
    place = places_of(ids, known)
    if len(accepted) == 0:
        return place
    return np.where(place >= 0, accepted[place], -1)


def _shown_at(shown: pa.ChunkedArray, rows_of: NDArray[np.int64], position: pd.Series) -> pa.Array:
    """Return the item ids shown at positions, null where nothing is known about the place."""
    lists = shown.combine_chunks()
    offsets = lists.offsets.to_numpy()
    place = position.fillna(0).to_numpy().astype(np.int64)
    begin, end = offsets[rows_of], offsets[rows_of + 1]
    index = begin + place - 1
    is_there = (place >= 1) & (index < end)
    return lists.values.take(pa.array(np.where(is_there, index, 0), mask=~is_there))


def place_table(
    frame: pd.DataFrame, num_shown: NDArray[np.int64], searches_kept: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return click-through of every place over the accepted searches that show it."""
    shown = np.bincount(num_shown[searches_kept], minlength=2)
    showing = shown[::-1].cumsum()[::-1][1:]  # searches that show place 1, 2, ...
    usable = (frame["action"] == "click") & frame["position"].notna() & (frame["search"] >= 0)
    position = frame["position"].to_numpy()
    inside = usable.to_numpy(bool) & (position >= 1) & (position <= len(showing))
    # Each search and place is one click, however often it is clicked there.
    search, place = frame["search"].to_numpy(np.int64)[inside], position[inside].astype(np.int64)
    # In a log most are in order already, of which a stable sort makes use.
    known = np.sort(search * (len(showing) + 1) + place, kind="stable")
    once = known[np.diff(known, prepend=-1) > 0]
    counts = np.bincount(once % (len(showing) + 1), minlength=len(showing) + 1)[1:]
    table = pd.DataFrame(
        {"place": np.arange(1, len(showing) + 1), "clicks": counts, "searches": showing}
    )
    table["click_through"] = table["clicks"] / table["searches"].where(table["searches"] > 0)
    return table[table["searches"] >= _FEWEST_CLICKS].reset_index(drop=True)


def figures(
    frame: pd.DataFrame,
    kept: NDArray[np.bool_],
    num_shown: NDArray[np.int64],
    searches_kept: NDArray[np.bool_],
    by_place: pd.DataFrame,
) -> pd.DataFrame:
    """Return the figures of the accepted engagements, one row; NaN where nothing can be judged."""
    left = those_left(frame, kept)
    search, action = left["search"].to_numpy(np.int64), left["action"]
    is_click = (action == "click").to_numpy(bool)
    searches = int(searches_kept.sum())
    clicked = _distinct(search[is_click])
    with_results = int((num_shown[searches_kept] > 0).sum())
    clicked_shown = int((num_shown[clicked] > 0).sum()) if len(clicked) else 0
    purchases, clicks = int((action == "purchase").sum()), int(is_click.sum())
    top = by_place[by_place["place"] <= _TOP]["click_through"].mean()
    lower = by_place[by_place["place"] >= _LOWER]["click_through"].mean()
    enough = by_place["clicks"].sum() >= _FEWEST_CLICKS and top > 0
    any_action = len(_distinct(search))
    return one_row(
        rows=len(search),
        quarantined=float(1 - kept.mean()) if len(kept) else 0.0,
        click_through=any_action / searches if searches else np.nan,
        click_through_shown=clicked_shown / with_results if with_results else np.nan,
        lower_over_top=lower / top if enough else np.nan,
        purchases_per_click=purchases / clicks if clicks else np.nan,
    )


def _distinct(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each row of a search once, ascending; -1 is none."""
    return np.flatnonzero(np.bincount(rows + 1)) - 1
