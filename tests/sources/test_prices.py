"""Prices: every spelling, and marks that only their column can explain."""

import random
from decimal import Decimal

import pytest
from babel.numbers import format_currency, get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from smar.sources.prices import parse_prices

LOCALES = {
    "de_DE": "EUR", "fr_FR": "EUR", "en_US": "USD", "en_IN": "INR", "de_CH": "CHF",
    "ja_JP": "JPY", "pt_BR": "BRL", "sv_SE": "SEK", "pl_PL": "PLN", "nb_NO": "NOK",
    "hu_HU": "HUF", "ko_KR": "KRW", "vi_VN": "VND", "ar_SA": "SAR", "he_IL": "ILS",
    "bg_BG": "BGN", "es_CL": "CLP", "ar_KW": "KWD", "fa_IR": "IRR", "hi_IN": "INR",
    "en_ZA": "ZAR", "tr_TR": "TRY", "th_TH": "THB", "uk_UA": "UAH", "fr_CA": "CAD",
}  # fmt: skip


def one(cell: object, **settings: str) -> tuple[float, str, float | None] | None:
    value = parse_prices([cell], **settings).values[0]
    return None if value is None else (value.amount, value.currency, value.upper)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("7,450.00 THB", 7450, "THB"),
        ("2.375,00 EUR", 2375, "EUR"),
        ("2 375,00 EUR", 2375, "EUR"),
        ("2\u00a0375,00 EUR", 2375, "EUR"),
        ("2\u202f375,00 \u20ac", 2375, "EUR"),
        ("2'375.00 CHF", 2375, "CHF"),
        ("CHF 2\u2019375.\u2013", 2375, "CHF"),
        ("2,40,000.50 INR", 240000.5, "INR"),
        ("24,60 \u20ac", 24.6, "EUR"),
        ("\u20ac24,60", 24.6, "EUR"),
        ("24\u20ac60", 24.6, "EUR"),
        ("$24.60", 24.6, "USD"),
        ("US$ 4.00", 4, "USD"),
        ("US $4", 4, "USD"),
        ("U.S.$4", 4, "USD"),
        ("$4 CAD", 4, "CAD"),
        ("\u00a38.49", 8.49, "GBP"),
        ("24.60", 24.6, ""),
        ("24.60 eur", 24.6, "EUR"),
        ("EUR24.60", 24.6, "EUR"),
        ("13,700 JPY", 13700, "JPY"),
        ("1.250.000 VND", 1250000, "VND"),
        ("Rs. 2,375/-", 2375, "INR"),
        ("R$ 2.375,90", 2375.9, "BRL"),
        ("24,- \u20ac", 24, "EUR"),
        ("24,90 \u20ac inkl. MwSt.", 24.9, "EUR"),
        (".49 USD", 0.49, "USD"),
        ("0.375 EUR", 0.375, "EUR"),
        ("2375.000 EUR", 2375, "EUR"),
        ("12.3456 EUR", 12.3456, "EUR"),
        ("0 EUR", 0, "EUR"),
        ("\u0663\u066b\u0665 EUR", 3.5, "EUR"),
        ({"value": "8.5", "currency": "usd"}, 8.5, "USD"),
        ({"amount": 8, "currencyCode": "EUR"}, 8, "EUR"),
        (2.375, 2.375, ""),
        (Decimal("2.375"), 2.375, ""),
    ],
)
def test_spelling_is_read(text: object, amount: float, currency: str):
    assert one(text) == (amount, currency, None)


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("12.00 - 30.00 USD", 12, 30),
        ("$12-$30", 12, 30),
        ("USD 12 to 30", 12, 30),
        ("30,00 USD bis 12,00 USD", 12, 30),
        ("12\u201330 USD", 12, 30),
    ],
)
def test_range_is_its_lower_end_with_the_upper_beside_it(text: str, lower: float, upper: float):
    assert one(text) == (lower, "USD", upper)


@pytest.mark.parametrize(
    "text",
    ["5.5.5 EUR", "cheap", "-5 EUR", "5 EUR 10", "\u20ac5 USD", "12 34 EUR", "1,23,4 EUR",
     "2x 5 EUR", "5 EUR/kg", "1.5E+3", "EUR", "1.2.3,4 EUR", True, float("inf"), -3.0,
     {"currency": "EUR"}],
)  # fmt: skip
def test_what_is_no_single_price_is_unreadable(text: object):
    result = parse_prices([text, "", None, float("nan")])
    assert result.values == [None] * 4
    assert result.unreadable == [0]


@pytest.mark.parametrize(
    ("column", "amounts", "is_said"),
    [
        (["2.375 EUR", "8,90 EUR"], [2375, 8.9], False),
        (["2.375 EUR", "8.90 EUR"], [2.375, 8.9], True),
        (["2.375 EUR", "899 EUR"], [2375, 899], True),
        (["2,375 USD", "8.90 USD"], [2375, 8.9], False),
        (["2,375 USD", "8.90 USD", "2.375 EUR", "1,00 EUR"], [2375, 8.9, 2375, 1], False),
        (["2.375 EUR", "8.90 EUR", "7,10 EUR", "6,20 EUR"], [2375, 8.9, 7.1, 6.2], True),
        (["2.375.000 EUR", "8.900 EUR", "1,250 EUR"], [2375000, 8900, 1.25], True),
        (["2.375 JPY", "2,375 JPY"], [2375, 2375], False),
        (["2.375 KWD", "2,375 KWD"], [2.375, 2375], True),
        ([2.375, "8.900 EUR", "1,00 EUR"], [2.375, 8900, 1], False),
    ],
)
def test_three_digits_behind_a_mark_are_what_their_column_says(
    column: list[object], amounts: list[float], is_said: bool
):
    result = parse_prices(column)
    assert [value.amount for value in result.values if value] == amounts
    assert bool(result.notes) == is_said
    assert all("ingest.feed.decimals" in note for note in result.notes)


def test_the_mark_can_be_set():
    assert one("2.375 EUR", decimals=".") == (2.375, "EUR", None)
    assert one("2.375 EUR", decimals=",") == (2375, "EUR", None)


def test_default_currency_serves_where_none_is_named_and_tells_what_a_sign_means():
    assert one("5", currency="EUR") == (5, "EUR", None)
    assert one("$5", currency="AUD") == (5, "AUD", None)
    assert one("$5", currency="EUR") == (5, "USD", None)
    assert one("5 kr", currency="NOK") == (5, "NOK", None)
    assert one("5 kr") == (5, "", None)
    values = parse_prices(["5", "$6"], currency="EUR", currencies=["SEK", "CAD"]).values
    assert [value.currency for value in values if value] == ["SEK", "CAD"]


@pytest.mark.parametrize("locale", LOCALES)
def test_what_a_locale_writes_is_read_back(locale: str):
    rng = random.Random(locale)
    currency = LOCALES[locale]
    precision = get_currency_precision(currency)
    amounts = [round(10 ** rng.uniform(0, 5), precision) for _ in range(40)]
    texts = [format_currency(amount, currency, locale=locale) for amount in amounts]
    values = parse_prices(texts, currency=currency).values
    assert [(v.amount, v.currency) for v in values if v] == [(a, currency) for a in amounts]


@given(st.lists(st.text(st.sampled_from("0123456789.,' -\u20ac$EURkr/\u0663") | st.characters())))
def test_any_text_is_a_price_or_unreadable(texts: list[str]):
    result = parse_prices(texts)
    for place, (text, value) in enumerate(zip(texts, result.values, strict=True)):
        assert (value is None) == (place in result.unreadable or not text.strip())
