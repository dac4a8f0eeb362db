"""What a search is narrowed to: conditions on fields, joined by and, or and not.

As JSON, all that one object says has to hold:

    {"brand": "Acme"}                          the value; null for none
    {"brand": ["Acme", "Zeta"]}                any of these
    {"brand": {"not": ["Acme"]}}               none of these
    {"price": {"gte": 10, "lt": 50}}           a range: gt, gte, lt, lte
    {"or": [{"brand": "Acme"}, {"price": {"lt": 5}}]}, {"and": [...]}, {"not": {...}}

An item without a value is in no range, and so in every range's `not`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from smar.errors import Problem, near_match

Value = str | float | None
Bound = str | float

_JOINED = ("and", "or", "not")
_DEEPEST = 10  # conditions within conditions
_MOST_VALUES = 10_000  # of one filter, over all its conditions


@dataclass(frozen=True)
class AnyOf:
    """The field has one of these values.

    Args:
        field: A field of the items.
        values: What it may be; None is for items that have none. Nothing is any of no values.
    """

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Between:
    """The field lies in a range; each end may be left open.

    Args:
        field: A field of numbers or times.
        gte: At least.
        gt: Above.
        lte: At most.
        lt: Below.
    """

    field: str
    gte: Bound | None = None
    gt: Bound | None = None
    lte: Bound | None = None
    lt: Bound | None = None


@dataclass(frozen=True)
class Not:
    """What does not hold.

    Args:
        of: The condition.
    """

    of: "Filter"


@dataclass(frozen=True)
class All:
    """Everything that has to hold.

    Args:
        of: The conditions; without one every item is allowed.
    """

    of: tuple["Filter", ...] = ()


@dataclass(frozen=True)
class Either:
    """What holds if one of several does.

    Args:
        of: The conditions; without one no item is allowed.
    """

    of: tuple["Filter", ...]


Filter = AnyOf | Between | Not | All | Either
EVERYTHING = All()
_ENDS = tuple(end.name for end in fields(Between) if end.name != "field")


def read_filter(content: object, at: str = "filters") -> tuple[Filter, list[Problem]]:
    """Return a filter of plain types, and everything that is wrong with it.

    Args:
        content: As the module says, as JSON gives it.
        at: What problems call it.
    """
    reader = _Reader()
    found = reader.condition(content, at, 0)
    if reader.num_values > _MOST_VALUES:
        text = f"{reader.num_values:,} values, expected at most {_MOST_VALUES:,}"
        reader.problems.append(Problem(at, text))
    return (EVERYTHING if reader.problems else found), reader.problems


def fields_of(condition: Filter) -> Iterator[str]:
    """Yield every field that a filter is about, in its order."""
    match condition:
        case AnyOf(field=field) | Between(field=field):
            yield field
        case Not(of=inner):
            yield from fields_of(inner)
        case All(of=parts) | Either(of=parts):
            for part in parts:
                yield from fields_of(part)


def without(condition: Filter, field: str) -> Filter:
    """Return a filter without what it asks of one field alone.

    That is what a list of the field's values is counted with, so that a chosen value does not hide
    the others. A part that joins the field with others by "or" stays.
    """
    parts = condition.of if isinstance(condition, All) else (condition,)
    return All(tuple(part for part in parts if {field} != set(fields_of(part))))


class _Reader:
    """Reads one filter and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.num_values = 0

    def condition(self, content: object, at: str, depth: int) -> Filter:
        if depth > _DEEPEST:
            self._put(at, f"more than {_DEEPEST} conditions within each other")
            return EVERYTHING
        if not isinstance(content, Mapping):
            self._put(at, f"{_shown(content)}, expected an object of field: value")
            return EVERYTHING
        parts = [self._part(str(name), of, f"{at}.{name}", depth) for name, of in content.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, name: str, of: object, at: str, depth: int) -> Filter:
        if name == "not":
            return Not(self.condition(of, at, depth + 1))
        if name in _JOINED:
            if not isinstance(of, Sequence) or isinstance(of, str):
                self._put(at, f"{_shown(of)}, expected a list of conditions")
                return EVERYTHING
            parts = [self.condition(each, f"{at}.{n}", depth + 1) for n, each in enumerate(of)]
            return All(tuple(parts)) if name == "and" else Either(tuple(parts))
        if isinstance(of, Mapping):
            return self._of_field(name, of, at)
        return AnyOf(name, self._values(of, at))

    def _of_field(self, name: str, of: Mapping[object, object], at: str) -> Filter:
        if set(of) == {"not"}:
            return Not(AnyOf(name, self._values(of["not"], f"{at}.not")))
        unknown = [str(key) for key in of if key not in _ENDS]
        if unknown or not of:
            seen = f"'{unknown[0]}'" if unknown else "nothing"
            match = near_match(unknown[0], _ENDS) if unknown else ""
            self._put(at, f"{seen}, expected not, or some of {', '.join(_ENDS)}.{match}")
            return EVERYTHING
        ends = {str(end): self._bound(value, f"{at}.{end}") for end, value in of.items()}
        return Between(name, **ends)

    def _values(self, of: object, at: str) -> tuple[Value, ...]:
        several = isinstance(of, Sequence) and not isinstance(of, str)
        values = list(of) if several else [of]  # type: ignore[call-overload]
        self.num_values += len(values)
        for value in values:
            if not (value is None or isinstance(value, str) or _is_number(value)):
                self._put(at, f"{_shown(value)}, expected text, a number, null, or a list of them")
                return ()
        return tuple(values)

    def _bound(self, of: object, at: str) -> Bound:
        self.num_values += 1
        if isinstance(of, str):
            return of
        if isinstance(of, int | float) and _is_number(of):
            return float(of)
        self._put(at, f"{_shown(of)}, expected a number, or a time as text")
        return 0.0

    def _put(self, at: str, text: str) -> None:
        self.problems.append(Problem(at, text))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
