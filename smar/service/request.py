"""What is asked of a search, checked as far as it can be without a release."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from smar.errors import Problem, RequestError, near_match
from smar.service.filters import EVERYTHING, Filter, read_filter

RELEVANCE = "relevance"
DEEPEST = 10_000
"""Hits that can be paged to: the offset and the limit of a request together."""
MOST_TEXT = 2_000
"""Characters of a query."""
_MOST_FACETS = 100
_MOST_WORDS = 0.99  # what is left for the vectors orders items with the same words
_MOST_VALUES = 1_000
_QUICK = 100  # hits down to which a search goes no deeper than for the first page


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """A search.

    Args:
        query: What a shopper typed; "" browses: every item that the filters allow, in the order of
            the catalogue.
        offset: Hits to pass over, so that 20 with a limit of 10 is the third page.
        limit: Hits to return; 0 for total and facets alone.
        filters: Which items are allowed.
        facets: Fields whose values are counted, over all items that match.
        facets_apart: Whether a facet passes over the filters on its own field, so that a chosen
            value does not hide the others.
        facet_values: Values of a facet, the most frequent ones.
        collapse: A field of which every value is shown once, by its best item ("group_id"); items
            without a value stand each for itself. "" shows all items.
        sort: "relevance"; or a field of numbers, from small to large, with "-" before it from large
            to small. Items without a number come last.
        sort_among: How many of the most relevant items are sorted by a field, as every item is a
            little relevant; those beyond are left out.
        min_relevance: Items below this probability of being relevant do not match; 0 for all.
        explain: Whether hits say why they were found.
        correct: Whether a misspelled query is read as what is meant; false searches what was typed.
        word_share: How much of a score the words are, in place of the release's own; None for that.
            Nothing is calibrated for another one, so that hits have no relevance.
        gate: How much the picture counts beside the text, in [0, 1], in place of what the model
            says of the query; None for that. Hits then have no relevance.
        release: The version that is to answer; "" for the one that is asked.
        query_id: The name under which the search is logged; "" for a new one.

    Raises:
        RequestError: Holds all problems.
    """

    query: str = ""
    offset: int = 0
    limit: int = 10
    filters: Filter = EVERYTHING
    facets: tuple[str, ...] = ()
    facets_apart: bool = True
    facet_values: int = 100
    collapse: str = ""
    sort: str = RELEVANCE
    sort_among: int = 200
    min_relevance: float = 0.0
    explain: bool = False
    correct: bool = True
    word_share: float | None = None
    gate: float | None = None
    release: str = ""
    query_id: str = ""

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise RequestError(problems)

    @property
    def is_tried(self) -> bool:
        """Whether it is answered with other settings than the release's own."""
        return self.word_share is not None or self.gate is not None

    @property
    def is_plain(self) -> bool:
        """Whether it asks for the best items of a query and for nothing that takes longer."""
        return (
            bool(self.query)
            and self.filters == EVERYTHING
            and self.sort == RELEVANCE
            and self.offset + self.limit <= _QUICK
            and not (self.facets or self.collapse or self.min_relevance or self.explain)
        )

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "SearchRequest":
        """Return the request of plain types, as JSON gives them.

        Keys are those of the class. `filters` is an object as `filters` says, `facets` a list of
        names. `page` (from 1) and `per_page` may stand for offset and limit.

        Raises:
            RequestError: Holds all problems.
        """
        problems: list[Problem] = []
        values = {name: value for name, value in content.items() if name in _NAMES}
        if len(values) < len(content):
            for name in content:
                if name not in {*_NAMES, "page", "per_page"}:
                    match = near_match(str(name), _NAMES)
                    problems.append(Problem(str(name), f"is not known to a search.{match}"))
        values |= _paged(content, problems)
        if "filters" in values and not isinstance(values["filters"], Filter):
            values["filters"], wrong = read_filter(values["filters"])
            problems += wrong
        if isinstance(values.get("facets"), list):
            values["facets"] = tuple(values["facets"])
        try:
            request = cls(**values)
        except RequestError as error:
            raise RequestError([*problems, *error.problems]) from None
        if problems:
            raise RequestError(problems)
        return request


_NAMES = {each.name: None for each in fields(SearchRequest)}


def _paged(content: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return offset and limit of a page, nothing where none is named."""
    if "page" not in content and "per_page" not in content:
        return {}
    both = sorted({"offset", "limit"} & set(content))
    if both:
        text = "page and per_page, or offset and limit: name one of these two"
        problems.append(Problem(both[0], text))
        return {}
    page, size = content.get("page", 1), content.get("per_page", SearchRequest.limit)
    wrong = [
        Problem(name, f"{value!r}, expected a whole number of at least {least}")
        for name, value, least in (("page", page, 1), ("per_page", size, 0))
        if not _is_whole(value) or value < least
    ]
    problems += wrong
    return {} if wrong else {"offset": (page - 1) * size, "limit": size}


def _problems(request: SearchRequest) -> Iterable[Problem]:
    values = vars(request)
    for name in ("query", "collapse", "sort", "release", "query_id"):
        value = values[name]
        if not isinstance(value, str):
            yield Problem(name, f"{value!r}, expected text")
        elif len(value) > MOST_TEXT:
            yield Problem(name, f"{len(value):,} characters, expected at most {MOST_TEXT:,}")
        elif not _is_unicode(value):
            text = f"{value!a:.60} has half of a surrogate pair, or bytes that are no UTF-8"
            yield Problem(name, f"{text}; expected Unicode text")
    for name in ("explain", "correct", "facets_apart"):
        if not isinstance(values[name], bool):
            yield Problem(name, f"{values[name]!r}, expected true or false")
    if not isinstance(request.filters, Filter):
        yield Problem("filters", f"{request.filters!r:.60}, expected a condition")
    if request.facets != ():
        yield from _problems_of_facets(request.facets)
    yield from _problems_of_numbers(request)


def _problems_of_facets(facets: object) -> Iterable[Problem]:
    if not isinstance(facets, tuple) or not all(isinstance(name, str) for name in facets):
        yield Problem("facets", f"{facets!r:.60}, expected a list of fields")
    elif len(facets) > _MOST_FACETS:
        yield Problem("facets", f"{len(facets)} fields, expected at most {_MOST_FACETS}")


def _problems_of_numbers(request: SearchRequest) -> Iterable[Problem]:
    bounds = {
        "offset": (0, DEEPEST),
        "limit": (0, DEEPEST),
        "facet_values": (1, _MOST_VALUES),
        "sort_among": (1, DEEPEST),
    }
    values, are_whole = vars(request), True
    for name, (least, most) in bounds.items():
        value = values[name]
        if not _is_whole(value) or not least <= value <= most:
            are_whole = False
            yield Problem(name, f"{value!r}, expected a whole number from {least} to {most:,}")
    if are_whole and request.offset + request.limit > DEEPEST:
        yield Problem(
            "offset",
            f"hits {request.offset + 1:,} to {request.offset + request.limit:,} are asked for, the "
            f"first {DEEPEST:,} can be. Narrow the search with filters.",
        )
    if not _is_share(request.min_relevance):
        yield Problem("min_relevance", f"{request.min_relevance!r}, expected a number from 0 to 1")
    elif request.min_relevance and request.is_tried:
        text = "nothing is calibrated for another word_share or gate: leave these or this out"
        yield Problem("min_relevance", text)
    if not (request.gate is None or _is_share(request.gate)):
        yield Problem("gate", f"{request.gate!r}, expected a number from 0 to 1")
    if not (request.word_share is None or _is_share(request.word_share, _MOST_WORDS)):
        text = f"{request.word_share!r}, expected a number from 0 to {_MOST_WORDS}"
        yield Problem("word_share", text)


def _is_share(value: object, most: float = 1.0) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= most


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _is_whole(value: object) -> bool:
    return type(value) is int  # True is one, too, by its class
