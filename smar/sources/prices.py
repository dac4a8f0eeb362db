"""Prices in every spelling, as amounts and currencies.

`1.299` is a thousand and some in one shop and little more than one in another. One value cannot
tell, its column can: what other values of the same currency write decides.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from babel.numbers import get_currency_precision
from numpy.typing import NDArray

from smar.sources.cells import MOST_KEPT, CodedCells, as_text, distinct_pairs
from smar.sources.currencies import choose_currency, currency_codes

Decimals = Literal["auto", ".", ","]
UNREADABLE = "price is not a number with a currency"
_FROM = frozenset({"from", "ab", "desde", "da", "od", "fra", "fr\u00e5n", "vanaf", "d\u00e8s"})
_TO = frozenset({"-", "\u2013", "\u2014", "~", "to", "bis", "a", "\u00e0", "till", "tot", "do"})
_TAX = re.compile(
    r"[*(]*\b(?:incl?|inkl|excl?|exkl|zzgl|plus|inc|ex)\.?\s*(?:of\s+)?"
    r"(?:vat|tax|gst|mwst|ust|moms|btw|iva|tva)\b\.?\)?|\b(?:ttc|ht)\b|\*+$",
    re.IGNORECASE,
)
# Spaces of every width, and the marks that part thousands, in the one form that is parsed.
_SAME = str.maketrans(
    {**dict.fromkeys("\u00a0\u202f\u2007\u2008\u2009\u200a\t\n\r", " "),
     **dict.fromkeys("\u2019\u2018\u02bc\u00b4`\u066c", "'"), "\u066b": ".", "\u2212": "-",
     **dict.fromkeys("\u200e\u200f\ufeff\u00ad\u200b")}
)  # fmt: skip
_NO_CENTS = re.compile(r"(?<=\d)(?:[.,:][-\u2013\u2014]{1,2}|/-)")  # 19,- and 500/-
_SIGN_FOR_MARK = re.compile(r"(?<=\d)([\u20ac\u00a3$])(\d\d)(?!\d)")  # 19EUR90
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,']\d+)*|[.,]\d+)"
    r"|(?P<word>(?:[^\W\d_]|[$\u00a2-\u00a5\u20a0-\u20cf\u0e3f\uffe5\ufdfc]|\.(?=[^\W\d_]|\$))+)\.?:?"
    r"|(?P<dash>[-\u2013\u2014~]))"
)
_GROUPS = re.compile(r"\d{1,3}(?:(?P<mark>[.,' ])\d{3})(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d\d)*,\d{3}")


@dataclass(frozen=True)
class Price:
    """One price.

    Args:
        amount: The lower one of a range.
        currency: ISO 4217 code, "" if nothing names it.
        upper: The upper amount of a range, None of a single price.
    """

    amount: float
    currency: str
    upper: float | None = None


@dataclass
class Prices:
    """A column of prices that was read.

    Args:
        distinct: The distinct prices; None where a cell is empty or unreadable.
        codes: Which of them each cell has.
        unreadable: Places of cells that hold something that is no price.
        notes: What was found ambiguous, and how it was read.
    """

    distinct: list[Price | None]
    codes: NDArray[np.int64]
    unreadable: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def values(self) -> list[Price | None]:
        """The price of every cell."""
        return [self.distinct[code] for code in self.codes]


@dataclass(frozen=True)
class _Parts:
    """A price taken apart: numbers as written, two of a range, and the currency."""

    numbers: tuple[str | Decimal, ...]
    currency: str


def parse_prices(
    cells: Sequence[Any] | CodedCells,
    *,
    currency: str = "",
    decimals: Decimals = "auto",
    currencies: Sequence[str] | CodedCells | None = None,
    column: str = "price",
) -> Prices:
    """Return the prices of a column.

    Numbers that are no texts (of parquet or JSON) are taken as they are. In texts, one mark with
    three digits behind it parts thousands, unless the other values of its currency show that it
    parts decimals; a currency without decimals (JPY) or with three of them (KWD) decides alone.

    Args:
        cells: Texts, numbers, or dicts with value and currency.
        currency: Of prices that name none; also what "$" or "kr" mean.
        decimals: The mark before decimals; "auto" finds it for each currency.
        currencies: One per cell, from a column of their own; used where the cell names none.
        column: Name of the column, for notes.
    """
    cells = CodedCells.of(cells)
    if currencies is None:
        distinct, codes = [(cell, "") for cell in cells.distinct], cells.codes
    else:
        distinct, codes = distinct_pairs(cells, CodedCells.of(currencies))
    counts = np.bincount(codes, minlength=len(distinct)).tolist()
    parsed = [
        None if cell == "" else _take_apart(cell, code or currency) for cell, code in distinct
    ]
    votes = _count_marks(zip(parsed, counts, strict=True))
    result = Prices([], codes)
    doubtful: dict[str, tuple[int, str]] = {}
    bad = np.zeros(len(distinct), bool)
    for place, ((cell, _), parts, count) in enumerate(zip(distinct, parsed, counts, strict=True)):
        unsure: dict[str, list[str]] = defaultdict(list)
        price = _price(parts, votes, decimals, unsure) if parts else None
        for key, texts in unsure.items():
            before, first = doubtful.get(key, (0, texts[0]))
            doubtful[key] = before + count * len(texts), first
        result.distinct.append(price)
        bad[place] = price is None and bool(as_text(cell).strip())
    result.unreadable = np.flatnonzero(bad[codes]).tolist()
    for key, (number, first) in sorted(doubtful.items()):
        code, reading = key.split("\t")
        result.notes.append(
            f"{column}: {number} numbers such as '{first}' {code or 'without a currency'} "
            f"could be thousands or decimals; read as {reading} "
            "(ingest.feed.decimals says otherwise)"
        )
    return result


def _take_apart(cell: Any, default: str) -> _Parts | None:
    if isinstance(cell, dict):
        named = {str(k).lower(): v for k, v in cell.items()}
        value = next((named[k] for k in ("value", "amount", "price") if k in named), None)
        code = next((named[k] for k in ("currency", "currencycode", "currency_code") if k in named),
                    "")  # fmt: skip
        return _take_apart(value, as_text(code).upper() or default)
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        number = Decimal(as_text(cell)) if math.isfinite(cell) else None
        is_price = number is not None and number >= 0
        return _Parts((number,), default) if number is not None and is_price else None
    return _take_text_apart(as_text(cell), default)


@lru_cache(MOST_KEPT)
def _take_text_apart(text: str, default: str) -> _Parts | None:
    """Return the numbers and the currency of a text, None if anything else stands in it."""
    text = _TAX.sub(" ", _plain_digits(text.translate(_SAME)))
    text = _SIGN_FOR_MARK.sub(r".\2\1", _NO_CENTS.sub("", text)).strip()
    numbers: list[str] = []
    signs: list[str] = []
    has_range = False
    end = 0
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None:
            return None
        end = match.end()
        word = (match["word"] or match["dash"] or "").lower()
        if match["number"]:
            numbers.append(match["number"])
        elif word in _TO and len(numbers) == 1 and not has_range:
            has_range = True
        elif word not in _FROM or numbers:
            signs.append(word)
    currency = choose_currency(signs, default)
    if len(numbers) != (2 if has_range else 1) or currency is None:
        return None
    return _Parts(tuple(numbers), currency)


def _plain_digits(text: str) -> str:
    """Return a text with the digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)


@dataclass(frozen=True)
class _Number:
    """A number as written.

    Args:
        whole: Its digits before decimals, or before the one mark that may be either.
        rest: The digits behind it.
        decimal: The mark that surely parts decimals, "" if there is none.
        thousands: The mark that surely parts thousands, "" if there is none.
        open: The mark that could be either, "" if there is none.
    """

    whole: str
    rest: str = ""
    decimal: str = ""
    thousands: str = ""
    open: str = ""


@lru_cache(MOST_KEPT)
def _read_number(text: str) -> _Number | None:
    """Return a number, None if its marks make no sense ("5.5.5")."""
    marks = [char for char in text if not char.isdecimal()]
    if not marks:
        return _Number(text)
    last = marks[-1]
    before, _, rest = text.rpartition(last)
    if marks.count(last) == 1 and last in ".,":
        if len(marks) > 1:
            is_grouped = _GROUPS.fullmatch(before) is not None
            return _Number(_digits(before), rest, last, marks[0]) if is_grouped else None
        is_open = len(rest) == 3 and 1 <= len(before) <= 3 and before[0] != "0"
        return _Number(before, rest, open=last) if is_open else _Number(before or "0", rest, last)
    if _GROUPS.fullmatch(text) is None:
        return None
    return _Number(_digits(text), thousands=last)


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


_Votes = dict[str, Counter[str]]


def _count_marks(parsed: Iterable[tuple[_Parts | None, int]]) -> _Votes:
    """Return, for each currency, how often which mark surely parts decimals."""
    votes: _Votes = defaultdict(Counter)
    for parts, count in parsed:
        for text in parts.numbers if parts else ():
            number = _read_number(text) if parts and isinstance(text, str) else None
            if parts is None or number is None:
                continue
            if number.decimal:
                votes[parts.currency][number.decimal] += count
            elif number.thousands in {".", ","}:
                votes[parts.currency][_other(number.thousands)] += count
    return votes


def _other(mark: str) -> str:
    return "," if mark == "." else "."


def _decide(mark: str, currency: str, votes: _Votes, decimals: Decimals) -> tuple[bool, bool]:
    """Return whether a mark before three digits parts decimals, and whether that is sure."""
    if decimals != "auto":
        return mark == decimals, True
    precision = get_currency_precision(currency) if currency in currency_codes() else 2
    if precision == 0:
        return False, True
    own, others = votes[currency][mark], votes[currency][_other(mark)]
    if own == others == 0 and precision == 3:
        return mark == ".", False
    return own > others, own == 0 < others


def _price(
    parts: _Parts | None, votes: _Votes, decimals: Decimals, doubtful: dict[str, list[str]]
) -> Price | None:
    """Return a price; numbers whose reading is not sure are added to `doubtful`."""
    amounts: list[float] = []
    for text in parts.numbers if parts else ():
        if parts is None or isinstance(text, Decimal):
            amounts.append(float(text))
            continue
        number = _read_number(text)
        if number is None:
            return None
        is_decimal, is_sure = True, True
        if number.open:
            is_decimal, is_sure = _decide(number.open, parts.currency, votes, decimals)
        if not is_sure:
            doubtful[f"{parts.currency}\t{'decimals' if is_decimal else 'thousands'}"].append(text)
        digits = f"{number.whole}.{number.rest or 0}" if is_decimal else number.whole + number.rest
        amounts.append(float(digits))
    if parts is None or not all(math.isfinite(amount) for amount in amounts):
        return None
    upper = max(amounts) if len(amounts) > 1 else None
    return Price(min(amounts), parts.currency, upper)
