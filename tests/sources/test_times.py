"""Times in every spelling; what is unclear is not guessed."""

import random

import pandas as pd
import pytest

from smar.sources import times
from smar.sources.times import UNCLEAR, UNREADABLE, _plain_iso, _spelled, parse_times

TEN = pd.Timestamp("2026-09-01 10:00", tz="UTC")


def parse(*texts: str | None, dates: str = "auto") -> tuple[list[pd.Timestamp], list[str]]:
    times = parse_times(pd.Series(list(texts), dtype=object), dates)
    return times.times.tolist(), times.reason.tolist()


@pytest.mark.parametrize(
    "text",
    ["2026-09-01T10:00:00Z", "2026-09-01T12:00:00+02:00", "2026-09-01T10:00:00+0000",
     "2026-09-01 10:00", "2026-09-01T10:00:00.000 UTC", "2026/09/01 10:00:00",
     "2026-09-01T10:00:00,000Z", "2026-09-01T12:00:00+02:00[Europe/Berlin]",
     "1788256800", "1788256800.0", "1788256800000", "1788256800000000", "1788256800000000000",
     "20260901100000", "Tue, 01 Sep 2026 10:00:00 GMT", "Sep 1, 2026 10:00:00 AM",
     "01.09.2026 10:00", "9/1/2026 10:00:00 AM", " 2026-09-01T10:00:00Z "],
)  # fmt: skip
def test_moment_in_every_spelling(text: str):
    assert parse(text) == ([TEN], [""])


@pytest.mark.parametrize("text", ["2026-09-01", "20260901", "1 Sep 2026", "01.09.2026"])
def test_date_is_its_midnight(text: str):
    assert parse(text)[0] == [pd.Timestamp("2026-09-01", tz="UTC")]


def test_fractions_are_kept_to_the_microsecond():
    times, _ = parse("2026-09-01T10:00:00.123456789Z", "1788256800123456")
    assert times == [TEN + pd.Timedelta(microseconds=123456)] * 2


@pytest.mark.parametrize("text", [None, "", "null", "NaN", "-"])
def test_missing_time_is_no_bad_time(text: str | None):
    times, reasons = parse(text)
    assert pd.isna(times[0])
    assert reasons == [""]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "0", "12", "1e400", "inf", "2026-13-01", "10:00", "32.01.2026",
     "2026-09-01 10:00:00 CET", "99999999999999999999999", "Sep 2026", "13/13/2026",
     "9/1/2026 13:00 PM"],
)  # fmt: skip
def test_what_is_no_time_is_unreadable(text: str):
    times, reasons = parse(text)
    assert pd.isna(times[0])
    assert reasons == [UNREADABLE]


def test_order_of_day_and_month_comes_from_the_other_dates():
    assert parse("03/02/2026")[1] == [UNCLEAR]
    assert parse("03/02/2026", "25/02/2026")[0][0] == pd.Timestamp("2026-02-03", tz="UTC")
    assert parse("03/02/2026", "02/25/2026")[0][0] == pd.Timestamp("2026-03-02", tz="UTC")
    assert parse("03/02/2026", "25/02/2026", "02/25/2026")[1] == [UNCLEAR, "", ""]
    assert parse("03/02/2026", dates="day_first")[0] == [pd.Timestamp("2026-02-03", tz="UTC")]
    assert parse("03/02/2026", dates="month_first")[0] == [pd.Timestamp("2026-03-02", tz="UTC")]


@pytest.mark.parametrize(
    "text",
    ["2026-09-01T10:00:00Z", "2026-09-01 10:00:00", "2026-09-01T10:00:00.123456789+0530",
     "2026-09-01T10:00:00-08:00", "2026-09-01T10:00:00.5", "2026-02-30T10:00:00Z",
     "2026-09-01T24:00:00Z", "0000-00-00 00:00:00", "9999-12-31T23:59:59Z"],
)  # fmt: skip
def test_plain_iso_is_what_the_other_spellings_read(text: str):
    fast = _plain_iso(pd.Series([text]))[0]
    slow = _spelled(pd.Series([text]), "auto")[0].iloc[0]
    assert pd.isna(fast) or fast == slow
    found = parse_times(pd.Series([None, text, "01.09.2026", text]), "auto")
    assert pd.isna(found.times[0])
    assert found.times[1] is pd.NaT or found.times[1] == slow
    assert found.reason.tolist() == [
        "",
        *(3 * [""] if pd.notna(slow) else [UNREADABLE, "", UNREADABLE]),
    ]


@pytest.mark.parametrize("zones", [("Z", "+02:00", "-0530", "+00:00"), ("",), ("", "Z")])
def test_plain_times_are_those_that_pandas_reads(
    monkeypatch: pytest.MonkeyPatch, zones: tuple[str, ...]
):
    rng = random.Random(3)
    for _ in range(60):
        texts = [
            f"{rng.randint(1960, 2100)}-{rng.randint(1, 12):02}-{rng.randint(1, 30):02}T"
            f"{rng.randint(0, 24):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
            + rng.choice(["", ".5", ".123456", ".1234567"]) + rng.choice(zones)
            for _ in range(rng.randint(1, 4))
        ]  # fmt: skip
        found = _plain_iso(pd.Series(texts, dtype=str))
        with monkeypatch.context() as patched:
            patched.setattr(times, "_cast", lambda _: None)
            pd.testing.assert_series_equal(found, _plain_iso(pd.Series(texts, dtype=str)))
