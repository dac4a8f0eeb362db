"""The prices of a feed: price, sale price and the time it holds, in columns of `schema.ITEMS`."""

from typing import Any

import pandas as pd

from smar.params import FeedParams
from smar.sources.cells import as_text
from smar.sources.feed_columns import Columns
from smar.sources.prices import UNREADABLE, Price, parse_prices
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
    regular, sale = parsed.values[: len(frame)], parsed.values[len(frame) :]
    dates = clean_all(_cells(frame, columns.sources["sale_dates"]))
    starts, ends, bad = _spans(dates)
    _put(quarantine, items, bad, ("sale_dates", "sale dates cannot be read"), dates)
    return {
        "price": [_amount(price) for price in regular],
        "price_max": [price.upper if price else None for price in regular],
        "currency": [
            next((p.currency for p in pair if p and p.currency), "")
            for pair in zip(regular, sale, strict=True)
        ],
        "sale_price": [_amount(price) for price in sale],
        "sale_from": starts,
        "sale_to": ends,
    }


def _cells(frame: pd.DataFrame, names: list[str]) -> list[Any]:
    """Return the first filled cell of the columns, "" where there is none."""
    result: list[Any] = [""] * len(frame)
    for name in names:
        result = [
            new if old == "" and as_text(new).strip().lower() not in _NOTHING else old
            for old, new in zip(result, frame[name].tolist(), strict=True)
        ]
    return [cell[0] if isinstance(cell, list) and cell else cell for cell in result]


def _amount(price: Price | None) -> float | None:
    return price.amount if price else None


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


def _spans(texts: list[str]) -> tuple[pd.Series, pd.Series, list[int]]:
    """Return the first and last times of "from/to" texts, and places that cannot be read."""
    parts = [text.split("/") if text.count("/") == 1 else [text, ""] for text in texts]
    firsts, lasts = ([p[side].strip() for p in parts] for side in (0, 1))
    starts, ends = _times(firsts), _times(lasts)
    bad = [
        place
        for place, (first, last) in enumerate(zip(firsts, lasts, strict=True))
        if (first and pd.isna(starts[place])) or (last and pd.isna(ends[place]))
    ]
    return starts, ends, bad


def _times(texts: list[str]) -> pd.Series:
    times = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, errors="coerce",
                           format="ISO8601")  # fmt: skip
    return times.astype("datetime64[us, UTC]")
