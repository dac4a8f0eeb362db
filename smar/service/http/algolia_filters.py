"""Algolia's ways to narrow a search, as filters of smar.

facetFilters    ["brand:Velmo", ["size:M", "size:-L"]]   and of or; - for not
numericFilters  ["price>=10", ["price<5", "price:20 TO 30"]]
filters         brand:Velmo AND (price < 50 OR NOT size:"M L")
"""

import re
from collections.abc import Iterator
from typing import Any

from smar.errors import Problem

_COMPARISON = re.compile(r"^\s*(.+?)\s*(<=|>=|!=|=|<|>)\s*(-?\d+(?:\.\d+)?)\s*$")
_RANGE = re.compile(
    r"^\s*(.+?)\s*:\s*(-?\d+(?:\.\d+)?)\s+TO\s+(-?\d+(?:\.\d+)?)\s*$", re.IGNORECASE
)
_TOKEN = re.compile(
    r"""\s*(?:(\(|\))|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(<=|>=|!=|[=<>:,])|([^\s()<>=!:,"']+))"""
)
_ENDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_DEEPEST = 20
Condition = dict[str, Any]


class _RefusedError(Exception):
    """Something that is no filter; the text says what."""


def read_filters(query: dict[str, Any]) -> tuple[Condition, list[Problem]]:
    """Return the condition of a query's facetFilters, numericFilters and filters together."""
    parts: list[Condition] = []
    problems: list[Problem] = []
    readers = {
        "facetFilters": lambda value: _listed(value, _facet),
        "numericFilters": lambda value: _listed(value, _numeric),
        "filters": _expression,
    }
    for name, read in readers.items():
        value = query.get(name)
        if value in (None, "", []):
            continue
        try:
            parts.append(read(value))
        except _RefusedError as error:
            problems.append(Problem(name, str(error)))
    if not parts:
        return {}, problems
    return (parts[0] if len(parts) == 1 else {"and": parts}), problems


def _listed(value: object, read: Any) -> Condition:
    """Return the condition of a list whose elements all hold, of lists of which one holds."""
    elements = value if isinstance(value, list) else [value]
    outer = []
    for element in elements:
        if isinstance(element, list):
            outer.append({"or": [read(inner) for inner in element]})
        else:
            outer.append(read(element))
    return outer[0] if len(outer) == 1 else {"and": outer}


def _facet(value: object) -> Condition:
    if not isinstance(value, str) or ":" not in value:
        raise _RefusedError(f"{value!r:.60}, expected field:value")
    field, _, wanted = value.partition(":")
    if wanted.startswith("-"):
        return {"not": _equals(field, wanted[1:])}
    return _equals(field, wanted.removeprefix("\\"))


def _equals(field: str, wanted: str) -> Condition:
    return {field.strip(): wanted}


def _numeric(value: object) -> Condition:
    if isinstance(value, str):
        if "," in value:
            return {"and": [_numeric(part) for part in value.split(",")]}
        if found := _RANGE.match(value):
            return _between(found[1], found[2], found[3])
        if found := _COMPARISON.match(value):
            return _compared(found[1], found[2], found[3])
    raise _RefusedError(f"{value!r:.60}, expected field>=number or field:low TO high")


def _between(field: str, low: str, high: str) -> Condition:
    return {field: {"gte": float(low), "lte": float(high)}}


def _compared(field: str, sign: str, number: str) -> Condition:
    if sign in _ENDS:
        return {field: {_ENDS[sign]: float(number)}}
    equal = {field: {"gte": float(number), "lte": float(number)}}
    return {"not": equal} if sign == "!=" else equal


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", text))


def _expression(value: object) -> Condition:
    if not isinstance(value, str):
        raise _RefusedError(f"{value!r:.60}, expected a text such as brand:Velmo AND price < 50")
    reader = _Reader(list(_tokens(value)))
    condition = reader.either(0)
    if reader.left:
        raise _RefusedError(f"'{reader.left[0][1]:.40}' is not expected there")
    return condition


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, text): "(" and ")", a sign, a word, or a quoted text."""
    place, text = 0, text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _RefusedError(f"cannot be read from '{text[place : place + 20]}' on")
        place = found.end()
        bracket, double, single, sign, word = found.groups()
        if bracket:
            yield bracket, bracket
        elif sign:
            yield "sign", sign
        elif word:
            yield "word", word
        else:
            yield "text", re.sub(r"\\(.)", r"\1", double if double is not None else single)


class _Reader:
    """Reads the tokens of an expression from left to right."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens

    def either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._take_word("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else {"or": parts}

    def _both(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take_word("AND"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else {"and": parts}

    def _one(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise _RefusedError(f"more than {_DEEPEST} conditions within each other")
        if self._take_word("NOT"):
            return {"not": self._one(depth + 1)}
        if self._peek() == "(":
            self.left.pop(0)
            condition = self.either(depth + 1)
            if self._peek() != ")":
                raise _RefusedError("a bracket is not closed")
            self.left.pop(0)
            return condition
        return self._condition()

    def _condition(self) -> Condition:
        field = self._next(("word", "text"), "a field")
        sign = self._next(("sign",), f"one of : < <= > >= = != after '{field:.40}'")
        value = self._next(("word", "text"), f"a value after '{field:.40}{sign}'")
        if sign == ":":
            if self._take_word("TO"):
                high = self._next(("word",), "a number after TO")
                if not (_is_number(value) and _is_number(high)):
                    raise _RefusedError(f"'{value:.40}' TO '{high:.40}', expected numbers")
                return _between(field, value, high)
            return _equals(field, value)
        if not _is_number(value):
            raise _RefusedError(f"'{value:.40}' after {sign}, expected a number")
        return _compared(field, sign, value)

    def _peek(self) -> str:
        return self.left[0][0] if self.left else ""

    def _take_word(self, word: str) -> bool:
        is_there = bool(self.left) and self.left[0][0] == "word" and self.left[0][1].upper() == word
        if is_there:
            self.left.pop(0)
        return is_there

    def _next(self, kinds: tuple[str, ...], expected: str) -> str:
        if not self.left or self.left[0][0] not in kinds:
            seen = f"'{self.left[0][1]:.40}'" if self.left else "the end"
            raise _RefusedError(f"{seen}, expected {expected}")
        return self.left.pop(0)[1]
