"""Times of logs in the spellings of the world, as UTC.

Numbers count from 1970 in seconds, milliseconds, microseconds or nanoseconds, whichever lies in
this age. Texts without a zone are UTC.
"""

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from dateutil import parser as dateutil

logger = logging.getLogger(__name__)

UNCLEAR = "timestamp has day and month in unclear order (set ingest.log.dates)"
UNREADABLE = "timestamp cannot be read"
_MISSING = frozenset({"", "null", "none", "nan", "nat", "n/a", "\\n", "-", "undefined"})
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (float("inf"), 1e9))  # up to, per second
_FIRST_S, _LAST_S = 1e8, 4e9  # 1973 to 2096: 0 and small counters are no times
_COMPACT = r"^((?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]))((?:[01]\d|2[0-3])[0-5]\d[0-5]\d)?$"
_NUMERIC_DATE = re.compile(
    r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4})"
    r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*([AaPp]\.?[Mm]\.?)?)?"
    r"(?:\s*(?:Z|UTC|GMT))?$"
)
_ZONE_NAME = re.compile(r"\s*(?:Z|UTC|GMT)$|\[[\w/+-]+\]$")
_PLAIN_ISO = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$"
_DAY_AND_MONTH = r"^\s*..?[/-]..?[/-]"  # at least all that others decide the order of
_NAMED_MONTH = re.compile(r"[A-Za-z]{3}")
_LETTERS_OF_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}T")


@dataclass(frozen=True)
class Times:
    """Times that were read.

    Args:
        times: datetime64[us, UTC]; NaT where there is none.
        reason: Why a value that is there cannot be read; "" where it can, or there is none.
        depends: Whether a text may have day and month in an order that the other texts tell.
    """

    times: pd.Series
    reason: pd.Series
    depends: bool = False


def parse_times(texts: pd.Series, dates: str) -> Times:
    """Return the times of texts.

    Args:
        texts: Texts, or missing values.
        dates: How 01/09/2026 is read: day_first, month_first, or auto (from the log's other dates,
            and from AM and PM; never guessed).
    """
    at_once = _all_plain(texts)
    if at_once is not None:
        return Times(at_once, pd.Series("", index=texts.index, dtype=str))
    codes, values = pd.factorize(texts)
    raw = pd.Series(values, dtype=str)
    times, reason = _plain_iso(raw), pd.Series("", index=raw.index)
    others = raw[times.isna()]
    depends = False
    if len(others):
        is_spelled = pc.match_substring_regex(pa.array(others, pa.string()), _DAY_AND_MONTH)
        depends = dates == "auto" and bool(pc.any(is_spelled).as_py())
        of_others, why = _spelled(others.str.strip(), dates)
        times, reason = times.fillna(of_others), why.reindex(raw.index).fillna("")
    # The code of a missing text is -1.
    found = times.array.take(codes, allow_fill=True, fill_value=pd.NaT)
    reasons = np.append(reason.to_numpy(object), "")[codes] if len(others) else ""
    return Times(
        pd.Series(found, index=texts.index),
        pd.Series(reasons, index=texts.index, dtype=str),
        depends,
    )


def _all_plain(texts: pd.Series) -> pd.Series | None:
    """Return the times of texts that are all as `_plain_iso` reads them, None if one is not."""
    given = pa.array(texts, pa.string())
    is_plain = pc.match_substring_regex(given, _PLAIN_ISO)
    if not pc.all(is_plain, skip_nulls=False).as_py():
        return None
    times = _cast(given)
    return None if times is None else pd.Series(times, texts.index).astype("datetime64[us, UTC]")


def _plain_iso(texts: pd.Series) -> pd.Series:
    """Return the times of texts like 2026-09-01T10:00:00.5Z, NaT for all others.

    It is how nearly every log writes them: the other spellings need not be tried on millions.
    """
    given = pa.array(texts, pa.string())
    is_plain = pc.fill_null(pc.match_substring_regex(given, _PLAIN_ISO), False)
    chosen = texts[is_plain.to_numpy(zero_copy_only=False)]
    times = _cast(given.filter(is_plain))
    if times is None:
        times = pd.to_datetime(chosen, utc=True, errors="coerce", format="ISO8601").array
    found = pd.Series(times, index=chosen.index).astype("datetime64[us, UTC]")
    return found if len(found) == len(texts) else found.reindex(texts.index)


def _cast(texts: pa.Array) -> Any:
    """Return times that Arrow reads, which takes a tenth of the time; None if it does not all.

    It reads zones of every text or of none, and what is no time (2026-02-30) is an error to it.
    """
    for zone in ("UTC", None):
        try:
            times = texts.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
        return times.cast(pa.timestamp("us", "UTC")).to_pandas().array
    return None


def _spelled(distinct: pd.Series, dates: str) -> tuple[pd.Series, pd.Series]:
    """Return the times of distinct texts in any spelling, and why others have none."""
    given = distinct[~distinct.str.lower().isin(_MISSING)]
    parsed = _numbers(given)
    rest = given[parsed.isna()]
    is_number = pd.to_numeric(rest, errors="coerce").notna() | rest.str.lower().isin(
        {"inf", "-inf", "infinity", "-infinity"}
    )
    rest = rest[~is_number]
    reason = pd.Series("", index=given.index)
    unclear: set[str] = set()
    if len(rest):
        of_texts, unclear = _texts(rest, dates)
        parsed = parsed.fillna(of_texts)
    reason[parsed.isna()] = UNREADABLE
    reason[given.isin(unclear) & parsed.isna()] = UNCLEAR
    return parsed, reason


def _numbers(texts: pd.Series) -> pd.Series:
    """Return times of numbers, and of dates written as one (20260901, 20260901100000)."""
    compact = texts.str.extract(_COMPACT)
    of_compact = pd.to_datetime(
        (compact[0] + compact[1].fillna("000000")), format="%Y%m%d%H%M%S", errors="coerce", utc=True
    ).astype("datetime64[us, UTC]")
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    seconds = pd.Series(float("nan"), index=texts.index)
    below = 0.0
    for upto, per_second in _UNITS:
        inside = (numbers >= below) & (numbers < upto)
        seconds = seconds.where(~inside, numbers / per_second)
        below = upto
    seconds = seconds.where(seconds.between(_FIRST_S, _LAST_S))
    micros = (seconds * 1e6).round().astype("Int64")
    of_numbers = pd.to_datetime(micros, unit="us", utc=True).astype("datetime64[us, UTC]")
    return of_numbers.where(of_compact.isna(), of_compact)


def _texts(texts: pd.Series, dates: str) -> tuple[pd.Series, set[str]]:
    """Return times of texts, and the texts whose day and month may be either."""
    plain = texts.str.replace(_ZONE_NAME, "", regex=True).str.replace(
        r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3", regex=True
    )
    plain = plain.str.replace(r"(:\d{2}),(\d+)", r"\1.\2", regex=True)
    parsed = pd.to_datetime(plain, utc=True, errors="coerce", format="ISO8601")
    parsed = parsed.astype("datetime64[us, UTC]")
    left = texts[parsed.isna()]
    numeric = left[left.str.match(_NUMERIC_DATE)]
    of_numeric, unclear = _numeric_dates(list(numeric), dates)
    others = {text: _named(text) for text in left if text not in of_numeric}
    found = left.map({**others, **of_numeric})
    return parsed.fillna(pd.to_datetime(found, utc=True).astype("datetime64[us, UTC]")), unclear


def _numeric_dates(texts: list[str], dates: str) -> tuple[dict[str, datetime | None], set[str]]:
    """Return times of 01.09.2026 10:00 and 9/1/2026 10:00 AM; dots part day, month, year."""
    parts = {text: match.groups() for text in texts if (match := _NUMERIC_DATE.match(text))}
    slashed = [p for p in parts.values() if p[1] != "."]
    day_first, month_first = dates == "day_first", dates == "month_first"
    if dates == "auto":
        day_first = any(int(p[0]) > 12 for p in slashed)
        month_first = any(int(p[2]) > 12 for p in slashed) or (
            not day_first and any(p[8] for p in slashed)
        )
    found: dict[str, datetime | None] = {}
    unclear = set()
    for text, p in parts.items():
        first, second = int(p[0]), int(p[2])
        is_day_first = p[1] == "." or first > 12 or (day_first and not month_first)
        is_clear = p[1] == "." or first > 12 or second > 12 or first == second
        if not is_clear and day_first == month_first:
            unclear.add(text)
            found[text] = None
            continue
        day, month = (first, second) if is_day_first and second <= 12 else (second, first)
        found[text] = _moment(int(p[3]), month, day, p[4:])
    return found, unclear


def _moment(year: int, month: int, day: int, clock: tuple[str | None, ...]) -> datetime | None:
    """Return a moment from its parts (hour, minute, second, fraction, AM or PM), None if none."""
    hour, minute, second = (int(part or 0) for part in clock[:3])
    half = (clock[4] or "").lower().replace(".", "")
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    micros = int((clock[3] or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, micros, UTC)
    except ValueError:
        return None


def _named(text: str) -> datetime | None:
    """Return the time of a text with a month's name ("Tue, 01 Sep 2026 10:00:00 GMT")."""
    if not _NAMED_MONTH.search(text) or _LETTERS_OF_ISO.match(text) or len(text) > 64:
        return None
    try:
        # Two different days to complete from: what is complete does not depend on them.
        either = [
            dateutil.parse(text, default=default, tzinfos=_refuse_zone)
            for default in (datetime(2001, 2, 3, 1, 1), datetime(2004, 5, 6, 2, 2))  # noqa: DTZ001
        ]
    except (ValueError, OverflowError, TypeError):
        return None
    if either[0].date() != either[1].date():
        return None
    moment = either[0]
    if (moment.hour, moment.minute) != (either[1].hour, either[1].minute):  # a date alone
        moment = moment.replace(hour=0, minute=0)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _refuse_zone(name: str | None, offset: int | None) -> int | None:
    """Return a zone's offset; a name alone ("CET", "IST") is not clear enough to build on."""
    if offset is not None or name is None:
        return offset
    raise ValueError(f"zone {name}")
