"""Currencies by their signs: what "$", "kr" or a code beside a number means."""

from collections.abc import Iterable
from functools import cache

from babel import Locale
from babel.numbers import list_currencies

_DOLLARS = ("USD", "AUD", "CAD", "NZD", "SGD", "HKD", "MXN", "TWD", "CLP", "ARS", "COP")
_CROWNS = ("SEK", "NOK", "DKK", "ISK")
# What stands beside a number -> the currencies that it may mean, the usual one first. A sign with
# no usual one begins with "": the currency of params.yaml decides, or there is none.
_SIGNS: dict[str, tuple[str, ...]] = {
    "$": _DOLLARS, "kr": ("", *_CROWNS), "\u00a3": ("GBP", "EGP", "LBP"), "\u20ac": ("EUR",),
    "\u00a5": ("JPY", "CNY"), "\uffe5": ("JPY", "CNY"), "rs": ("INR", "PKR", "LKR", "NPR"),
    "us$": ("USD",), "us": ("USD",), "u.s.$": ("USD",), "a$": ("AUD",), "au$": ("AUD",),
    "c$": ("CAD",), "ca$": ("CAD",),
    "nz$": ("NZD",), "s$": ("SGD",), "hk$": ("HKD",), "nt$": ("TWD",),
    "mx$": ("MXN",), "r$": ("BRL",), "rmb": ("CNY",), "cn\u00a5": ("CNY",), "jp\u00a5": ("JPY",),
    "euro": ("EUR",), "euros": ("EUR",), "dollars": _DOLLARS, "\u20b9": ("INR",),
    "\u20a9": ("KRW",), "\u20aa": ("ILS",), "\u20ab": ("VND",), "\u20b1": ("PHP",),
    "\u20ba": ("TRY",), "tl": ("TRY",), "\u20bd": ("RUB",), "\u0440\u0443\u0431": ("RUB",),
    "\u0440": ("RUB",), "\u20b4": ("UAH",), "\u0433\u0440\u043d": ("UAH",), "\u20b8": ("KZT",),
    "\u0e3f": ("THB",), "\u20a6": ("NGN",), "z\u0142": ("PLN",), "k\u010d": ("CZK",),
    "ft": ("HUF",), "lei": ("RON",), "\u043b\u0432": ("BGN",), "fr": ("CHF",), "sfr": ("CHF",),
    "r": ("ZAR",), "rm": ("MYR",), "rp": ("IDR",), "\u5186": ("JPY",), "\u5143": ("CNY",),
    "\uc6d0": ("KRW",), "skr": ("SEK",), "nkr": ("NOK",), "dkr": ("DKK",), "din": ("RSD",),
    "\ufdfc": ("IRR", "SAR"),
}  # fmt: skip


@cache
def currency_codes() -> frozenset[str]:
    """Return the codes of ISO 4217, old ones included."""
    return frozenset(list_currencies())


@cache
def _local_signs() -> dict[str, tuple[str, ...]]:
    """Return the signs of currencies in the scripts that write them out."""
    signs: dict[str, tuple[str, ...]] = {}
    for locale in ("ar", "fa"):
        for code, sign in Locale(locale).currency_symbols.items():
            plain = "".join(char for char in sign if char.isprintable())
            signs[plain.strip(" .").lower()] = (str(code),)
    return signs


def choose_currency(signs: Iterable[str], default: str) -> str | None:
    """Return the one currency that all signs allow, None if they name none or several."""
    allowed: tuple[str, ...] | None = None
    for sign in signs:
        code = sign.upper()
        means = (
            (code,) if code in currency_codes() else _SIGNS.get(sign) or _local_signs().get(sign)
        )
        if means is None:
            return None
        allowed = means if allowed is None else tuple(c for c in means if c in allowed)
    if allowed is None:
        return default
    if not allowed:
        return None
    return default if default in allowed else allowed[0]
