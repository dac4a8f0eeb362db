"""Texts of feeds as a reader sees them: without markup, entities and signs that show nothing."""

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

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
_BLOCK_CELLS = 256  # that are looked at together
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


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


def clean_all(cells: Sequence[Any]) -> list[str]:
    """Return `clean` of every cell.

    Cells are looked at together, at a fifth of the cost: most have nothing to clean.
    """
    result: list[str] = []
    for start in range(0, len(cells), _BLOCK_CELLS):
        block = cells[start : start + _BLOCK_CELLS]
        joined = _joined(block)
        is_clean = joined is not None and not ("  " in joined or "&" in joined or "<" in joined)
        if is_clean and joined is not None and MISSING.isdisjoint(joined.lower().split("\n")):
            result += block
        else:
            result += map(clean, block)
    return result


def clean_keys(cells: Sequence[Any]) -> list[str]:
    """Return `clean_key` of every cell; as `clean_all`."""
    result: list[str] = []
    for start in range(0, len(cells), _BLOCK_CELLS):
        block = cells[start : start + _BLOCK_CELLS]
        joined = _joined(block)
        if joined is not None and _SURELY_MISSING.isdisjoint(joined.lower().split("\n")):
            result += block
        else:
            result += map(clean_key, block)
    return result


def _joined(cells: Sequence[Any]) -> str | None:
    """Return cells one a line if all are texts of printable ASCII without blanks at their ends."""
    try:
        joined = "\n".join(cells)
    except TypeError:  # not all are texts
        return None
    if not (joined.isascii() and joined.replace("\n", "").isprintable()):
        return None
    has_blank_ends = " \n" in joined or "\n " in joined or joined.strip(" ") != joined
    return None if has_blank_ends or joined.count("\n") >= max(len(cells), 1) else joined


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
