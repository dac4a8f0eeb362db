"""Texts of feeds as a reader sees them: without markup, entities and signs that show nothing."""

import html
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smar.sources.cells import MOST_KEPT, as_text

# What tables write where there is nothing. An id or a title may be a word like "NA" or "none".
MISSING = frozenset({"null", "nan", "n/a", "#n/a", "\\n", "<na>", "none", "nil", "undefined"})
_SURELY_MISSING = frozenset({"null", "nan", "\\n", "#n/a", "<na>"})
# Elements of HTML whose ends part words, and those inside a line that do not.
_BLOCK = (
    "p|br|hr|div|li|ul|ol|dl|dt|dd|table|tbody|thead|tr|td|th|h[1-6]|section|article|header"
    "|footer|blockquote|pre|figure|figcaption|iframe|img|video|button|form|input|select|option|body"
    "|html|head|title|meta|link|center|main|nav|aside|details|summary|object|embed|source|picture"
)
_INLINE = (
    "b|i|u|s|em|strong|span|a|font|sup|sub|small|big|mark|code|del|ins|abbr|cite|q|label|strike|tt"
    "|bdi|bdo|wbr|o:p|time|var|kbd|samp"
)
_HIDDEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK})(?:\s[^<>]*|/)?>", re.IGNORECASE)
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*|/)?>", re.IGNORECASE)
# Marks of direction and spaces of no width go. The joiners of scripts and pictographs (U+200C,
# U+200D) are part of what they join.
_UNSEEN = re.compile("[\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def _any_of(words: Iterable[str]) -> str:
    """Return the pattern, of Arrow, of texts that are one of several words of ASCII in any case."""
    return rf"^(?i:{'|'.join(map(re.escape, sorted(words)))})$"


# For Arrow: characters that are not printable ASCII, blanks at the ends, words for nothing.
_MAY_BE_UNCLEAN_KEY = rf"[^ -~]|^ | $|{_any_of(_SURELY_MISSING)}"
_MAY_BE_UNCLEAN = rf"[^ -~]|^ | $|  |[&<]|{_any_of(MISSING)}"


def clean(value: Any) -> str:
    """Return the text of a cell in one line, "" where it says that there is nothing.

    Entities are resolved, also those that were escaped twice; tags of HTML go, other angle
    brackets ("size < 5") stay.
    """
    return _clean_text(as_text(value))


@lru_cache(MOST_KEPT)
def _clean_text(text: str) -> str:
    text = plain(text)
    return "" if text.lower() in MISSING else text


def clean_all(texts: pa.Array) -> pa.Array:
    """Return `clean` of every text; most have nothing to clean, which is told of all at once."""
    return _where(texts, _MAY_BE_UNCLEAN, clean)


def clean_keys(texts: pa.Array) -> pa.Array:
    """Return `clean_key` of every text; as `clean_all`."""
    return _where(texts, _MAY_BE_UNCLEAN_KEY, clean_key)


def _where(texts: pa.Array, pattern: str, change: Callable[[str], str]) -> pa.Array:
    """Return texts, those changed in which a pattern is found."""
    is_found = pc.match_substring_regex(texts, pattern)
    found = texts.filter(is_found)
    if not len(found):
        return texts
    changed = pa.array(map(change, found.to_pylist()), texts.type)
    return pc.replace_with_mask(texts, is_found, changed)


def say_nothing(texts: pa.Array) -> pa.Array:
    """Return which texts say that there is nothing, without being empty."""
    return pc.match_substring_regex(texts, _any_of(MISSING))


def clean_key(value: Any) -> str:
    """Return the text of an id: spaces at its ends go, everything else stays as it is."""
    text = as_text(value)
    if not text.isascii() or not text.isprintable():
        text = _UNSEEN.sub("", _CONTROL.sub(" ", text))
    text = text.strip()
    return "" if text.lower() in _SURELY_MISSING else text


def plain(text: str) -> str:
    """Return a text without markup, in one line."""
    if "&" in text:
        for _ in range(2):
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" in text:
        text = _HIDDEN.sub(" ", text)
        text = _INLINE_TAG.sub("", _BLOCK_TAG.sub(" ", text))
        if "&" in text:
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if not text.isascii() or not text.isprintable():
        text = _UNSEEN.sub("", _CONTROL.sub(" ", text))
    return " ".join(text.split())
