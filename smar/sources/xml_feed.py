"""Feeds in XML: RSS 2.0, Atom, and lists of items or products, as shops write them by hand."""

import html
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from smar.errors import DataError
from smar.sources.encodings import AUTO, TextFile, open_bytes, open_text
from smar.sources.tables import Table

_ITEMS = {"item", "entry", "product", "offer", "shopitem"}
_GOOGLE = "{http://base.google.com/"
_XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_AMPERSAND = re.compile(r"&(?:(#\d+;|#[xX][0-9a-fA-F]+;)|([A-Za-z][A-Za-z0-9]*);)?")
# Characters that XML does not allow.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")


def read_xml(path: Path, encoding: str, setting: str) -> Table:
    """Return the items of an XML feed, one row each.

    Elements of Google's namespace win over plain ones of the same name. A name that is repeated
    within an item gives a list; an element with elements of its own gives a dict, but one with
    text around them (`Red <i>suede</i> boot`) gives its whole text. `product_detail` gives a
    column named after the detail.

    Raises:
        DataError: If the file cannot be read, is not well formed, or defines entities.
    """
    text = open_text(path, _declared(path, encoding), setting)
    repairs = _Repairs()
    source = _Reader(_chunks(text, repairs))
    rows: list[dict[str, Any]] = []
    depth_of_item = depth = 0
    try:
        # What defines entities is refused; a DTD that does not is harmless, and in some feeds.
        for event, element in iterparse(source, events=("start", "end"), forbid_dtd=False):
            if event == "start":
                depth += 1
                is_item = _local(element.tag).lower() in _ITEMS
                depth_of_item = depth_of_item or (depth if is_item else 0)
                continue
            if depth == depth_of_item:
                rows.append(_row(element))
                element.clear()
                depth_of_item = 0
            depth -= 1
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DataError(f"{path}: cannot be read as xml: {error}") from error
    if text.is_cut:
        raise DataError(f"{path}: breaks off before its end; copy it again.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
    frame = pd.DataFrame(columns, index=range(len(rows)))
    return Table(frame, list(range(1, len(rows) + 1)), notes=[*text.notes, *repairs.notes()])


def _declared(path: Path, encoding: str) -> str:
    """Return the encoding a file declares if its bytes are not UTF-8, which they often are."""
    if encoding != AUTO or open_text(path).encoding.startswith("utf"):
        return encoding
    with open_bytes(path) as file:
        match = _DECLARED.match(file.read(200).lstrip())
    name = match[1].decode() if match else AUTO
    return AUTO if name.lower() in {"utf-8", "utf8", "us-ascii"} else name


class _Reader:
    """Lines as the file that a parser reads from."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def read(self, size: int = -1) -> str:
        """Return some lines, whatever `size`; "" after the last."""
        return next(self._lines, "")


class _Repairs:
    """Counts what was mended, with the line it was first seen in."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def add(self, what: str, line: int) -> None:
        """Count one more, in a line (from 1)."""
        self._counts[what] += 1
        self._first.setdefault(what, line)

    def notes(self) -> list[str]:
        """Return what was mended, in words."""
        return [
            f"{count} x {what} (first: line {self._first[what]})"
            for what, count in self._counts.items()
        ]


def _chunks(text: TextFile, repairs: _Repairs) -> Iterator[str]:
    """Yield lines that a strict parser takes: HTML's entities and bare ampersands are mended."""
    is_literal = False  # inside <![CDATA[ ]]>
    for number, line in enumerate(text.lines(), start=1):
        if "&" not in line and "CDATA[" not in line and "]]>" not in line and line.isprintable():
            yield f"{line}\n"
            continue
        parts = []
        rest = _FORBIDDEN.sub(" ", line)
        while rest:
            mark = "]]>" if is_literal else "<![CDATA["
            before, found, after = rest.partition(mark)
            parts += [before if is_literal else _mend(before, number, repairs), found]
            is_literal = is_literal != bool(found)
            rest = after
        yield f"{''.join(parts)}\n"


def _mend(text: str, line: int, repairs: _Repairs) -> str:
    def replace(match: re.Match[str]) -> str:
        number, name = match[1], match[2]
        if number:
            digits = number[1:-1]
            code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
            if code == 0 or code > sys.maxunicode or _FORBIDDEN.match(chr(code)):
                repairs.add("the number of a character that XML does not allow", line)
                return " "
            return match[0]
        if name in _XML_ENTITIES:
            return match[0]
        char = html.unescape(f"&{name};") if name else ""
        if name and char != f"&{name};":
            repairs.add("an entity of HTML, which XML does not have", line)
            return html.escape(char)
        repairs.add("a bare '&', read as '&amp;'", line)
        return f"&amp;{match[0][1:]}"

    return _AMPERSAND.sub(replace, text)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _row(item: Any) -> dict[str, Any]:
    plain: dict[str, list[Any]] = {}
    google: dict[str, list[Any]] = {}
    for name, value in item.attrib.items():
        plain.setdefault(_local(name), []).append(value)
    details: dict[str, Any] = {}
    for child in item:
        name, value = _local(child.tag), _value(child)
        if name == "product_detail" and isinstance(value, dict) and value.get("attribute_name"):
            details[str(value["attribute_name"])] = value.get("attribute_value")
            continue
        of_google = child.tag.startswith(_GOOGLE) or child.tag.startswith("g:")
        (google if of_google else plain).setdefault(name, []).append(value)
    merged = {name: values for name, values in plain.items() if name not in google} | google
    kept = {name: [v for v in values if v not in {None, ""}] if _is_flat(values) else values
            for name, values in merged.items()}  # fmt: skip
    row = {name: values[0] if len(values) == 1 else values for name, values in kept.items()}
    return {**details, **{name: value for name, value in row.items() if value != []}}


def _is_flat(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _value(element: Any) -> Any:
    children = list(element)
    texts = [element.text or "", *(child.tail or "" for child in children)]
    if not children:
        return (element.text or element.get("href") or element.get("url") or "").strip()
    if any(text.strip() for text in texts):
        return "".join(element.itertext()).strip()
    is_markup = all(not child.tag.startswith(_GOOGLE) and _is_html(child) for child in children)
    if is_markup:
        return " ".join("".join(element.itertext()).split())
    return {_local(child.tag): _value(child) for child in children}


def _is_html(element: Any) -> bool:
    return _local(element.tag).lower() in {"b", "i", "em", "strong", "span", "p", "br", "u", "div"}
