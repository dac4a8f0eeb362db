"""The prices of a feed: price, sale price and the time it holds, in columns of `schema.ITEMS`."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from smar.params import FeedParams
from smar.sources.cells import as_text, cells_in, distinct_cells
from smar.sources.feed_columns import Columns
from smar.sources.prices import UNREADABLE, parse_prices
from smar.sources.quarantine import Quarantine
from smar.sources.texts import MISSING, clean_all

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
    codes = [text.upper() for text in clean_all(_cells(frame, columns.sources["currency"]))]
    # One column in two: what the one shows of marks counts for the other.
    parsed = parse_prices(
        [*both["price"], *both["sale_price"]],
        currency=params.currency,
        decimals=params.decimals,
        currencies=[*codes, *codes],
    )
    notes += parsed.notes
    for start, ours in ((0, "price"), (len(frame), "sale_price")):
        places = [p - start for p in parsed.unreadable if start <= p < start + len(frame)]
        _put(quarantine, items, places, (ours, UNREADABLE), both[ours])
        quarantine.see(_SOURCE, sum(as_text(cell) != "" for cell in both[ours]))
    regular, sale = parsed.codes[: len(frame)], parsed.codes[len(frame) :]
    dates = clean_all(_cells(frame, columns.sources["sale_dates"]))
    starts, ends, bad = _spans(dates)
    _put(quarantine, items, bad, ("sale_dates", "sale dates cannot be read"), dates)
    prices = parsed.distinct
    amounts = np.array([price.amount if price else np.nan for price in prices], float)
    upper = [np.nan if price is None or price.upper is None else price.upper for price in prices]
    named = np.array([price.currency if price else "" for price in prices], object)
    return {
        "price": amounts[regular],
        "price_max": np.array(upper, float)[regular],
        "currency": np.where(named[regular] != "", named[regular], named[sale]),
        "sale_price": amounts[sale],
        "sale_from": starts,
        "sale_to": ends,
    }


def _cells(frame: pd.DataFrame, names: list[str]) -> list[Any]:
    """Return the first filled cell of the columns, "" where there is none."""
    result: list[Any] = [""] * len(frame)
    for name in names:
        cells, codes = distinct_cells(cells_in(frame[name]))
        filled = ["" if as_text(cell).strip().lower() in _NOTHING else cell for (cell,) in cells]
        result = [
            filled[code] if old == "" else old
            for old, code in zip(result, codes.tolist(), strict=True)
        ]
    return [cell[0] if isinstance(cell, list) and cell else cell for cell in result]


def _put(
    quarantine: Quarantine,
    items: pd.DataFrame,
    places: list[int],
    what: tuple[str, str],
    cells: list[Any],
) -> None:
    column, reason = what
    rows, ids = items["row"].to_numpy(), items["item_id"].to_numpy()
    quarantine.put(
        _SOURCE,
        [(int(rows[p]), str(ids[p]), column, reason, as_text(cells[p])) for p in places],
    )


def _spans(texts: list[str]) -> tuple[ExtensionArray, ExtensionArray, list[int]]:
    """Return the first and last times of "from/to" texts, and places that cannot be read.

    The times are no series: rows that were left out must not part them from their items.
    """
    cells, codes = distinct_cells(texts)
    parts = [text.split("/") if text.count("/") == 1 else [text, ""] for (text,) in cells]
    firsts, lasts = ([p[side].strip() for p in parts] for side in (0, 1))
    starts, ends = _times(firsts), _times(lasts)
    bad = [
        bool((first and pd.isna(start)) or (last and pd.isna(end)))
        for first, last, start, end in zip(firsts, lasts, starts, ends, strict=True)
    ]
    return (
        starts.array.take(codes),
        ends.array.take(codes),
        np.flatnonzero(np.array(bad, bool)[codes]).tolist(),
    )


def _times(texts: list[str]) -> pd.Series:
    times = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, errors="coerce",
                           format="ISO8601")  # fmt: skip
    return times.astype("datetime64[us, UTC]")
