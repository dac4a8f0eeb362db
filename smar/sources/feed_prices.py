"""The prices of a feed: price, sale price and the time it holds, in columns of `schema.ITEMS`."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from smar.data.membership import column_of
from smar.params import FeedParams
from smar.sources.cells import CodedCells, as_text
from smar.sources.feed_columns import Columns
from smar.sources.prices import UNREADABLE, parse_prices
from smar.sources.quarantine import Quarantine
from smar.sources.texts import MISSING, clean

_SOURCE = "prices"
_NOTHING = frozenset({"", *MISSING})


def price_columns(
    frame: pd.DataFrame,
    items: pd.DataFrame,
    columns: Columns,
    params: FeedParams,
    quarantine: Quarantine,
    notes: list[str],
) -> dict[str, Any]:
    """Return price, price_max, currency, sale_price, sale_from and sale_to of every item.

    Prices that cannot be read go to the quarantine; their items stay, without a price.

    Args:
        frame: The feed as read, rows of the items alone.
        items: Columns id and row, with the index of `frame`.
        columns: Which columns hold what.
        params: Currency and mark of decimals.
        quarantine: Where unreadable ones go.
        notes: What was ambiguous is added.
    """
    both = {ours: _cells(frame, columns.sources[ours]) for ours in ("price", "sale_price")}
    codes = _cells(frame, columns.sources["currency"]).map(lambda cell: clean(cell).upper())
    # One column in two: what the one shows of marks counts for the other.
    parsed = parse_prices(
        both["price"].then(both["sale_price"]),
        currency=params.currency,
        decimals=params.decimals,
        currencies=codes.then(codes),
    )
    notes += parsed.notes
    for start, ours in ((0, "price"), (len(frame), "sale_price")):
        places = [p - start for p in parsed.unreadable if start <= p < start + len(frame)]
        _put(quarantine, items, places, (ours, UNREADABLE), both[ours])
        quarantine.see(_SOURCE, int((~both[ours].map(as_text).are("")).sum()))
    regular, sale = parsed.codes[: len(frame)], parsed.codes[len(frame) :]
    dates = _cells(frame, columns.sources["sale_dates"]).map(clean)
    starts, ends, bad = _spans(dates)
    _put(quarantine, items, bad, ("sale_dates", "sale dates cannot be read"), dates)
    prices = parsed.distinct
    amounts = np.array([price.amount if price else np.nan for price in prices], float)
    upper = [np.nan if price is None or price.upper is None else price.upper for price in prices]
    named = [price.currency if price else "" for price in prices]
    currency = CodedCells(named, regular).or_else(CodedCells(named, sale))
    return {
        "price": amounts[regular],
        "price_max": np.array(upper, float)[regular],
        "currency": column_of(currency.texts(), items.index),
        "sale_price": amounts[sale],
        "sale_from": starts,
        "sale_to": ends,
    }


def _cells(frame: pd.DataFrame, names: list[str]) -> CodedCells:
    """Return the first filled cell of the columns, "" where there is none."""
    result = CodedCells.empty(len(frame))
    for name in names:
        result = result.or_else(CodedCells.of(frame[name]).map(_filled))
    return result.map(lambda cell: cell[0] if isinstance(cell, list) and cell else cell)


def _filled(cell: Any) -> Any:
    """Return a cell, "" if it says that there is nothing."""
    return "" if as_text(cell).strip().lower() in _NOTHING else cell


def _put(
    quarantine: Quarantine,
    items: pd.DataFrame,
    places: list[int],
    what: tuple[str, str],
    cells: CodedCells,
) -> None:
    column, reason = what
    bad = items.iloc[places]
    texts = (as_text(cells.distinct[cells.codes[place]]) for place in places)
    named = zip(bad["row"], bad["item_id"], texts, strict=True)
    quarantine.put(_SOURCE, [(int(row), str(item), column, reason, t) for row, item, t in named])


def _spans(texts: CodedCells) -> tuple[ExtensionArray, ExtensionArray, list[int]]:
    """Return the first and last times of "from/to" texts, and places that cannot be read.

    The times are no series: rows that were left out must not part them from their items.
    """
    parts = [t.split("/") if t.count("/") == 1 else [t, ""] for t in texts.distinct]
    firsts, lasts = ([p[side].strip() for p in parts] for side in (0, 1))
    starts, ends = _times(firsts), _times(lasts)
    bad = [
        bool((first and pd.isna(start)) or (last and pd.isna(end)))
        for first, last, start, end in zip(firsts, lasts, starts, ends, strict=True)
    ]
    places = np.flatnonzero(np.array(bad, bool)[texts.codes]).tolist()
    return starts.array.take(texts.codes), ends.array.take(texts.codes), places


def _times(texts: list[str]) -> pd.Series:
    times = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, errors="coerce",
                           format="ISO8601")  # fmt: skip
    return times.astype("datetime64[us, UTC]")
