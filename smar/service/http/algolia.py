"""Algolia's questions as searches, and answers in its shape, so that InstantSearch.js works.

The name of the index does not matter, but for its end: items_price_asc and items_price_desc sort,
as replicas do.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from smar.data.schema import normalize_query
from smar.errors import Problem, RequestError
from smar.service.answer import Answer, Stats
from smar.service.http.algolia_filters import read_filters
from smar.service.request import DEEPEST, SearchRequest

ALL_FACETS = ("brand", "category.lvl0", "category.lvl1", "colour", "size", "availability", "price")
FACET = "facet"
"""The type of a query that looks among the values of a facet."""
_HITS_PER_PAGE = 20
_FACET_HITS = 10
_WHOLE = {"page": 0, "hitsPerPage": _HITS_PER_PAGE, "maxValuesPerFacet": 100}
_JSON_KEYS = ("facets", "facetFilters", "numericFilters", "attributesToHighlight")
_HIGHLIGHTED = ("title", "brand", "category", "description")
_SORTED = re.compile(r"_([A-Za-z]\w*?)_(asc|desc)$")
_WORD = re.compile(r"\w+")


def read_query(
    given: Mapping[str, Any], at: str
) -> tuple[SearchRequest | None, dict[str, Any], list[Problem]]:
    """Return the search of one query, its keys with `params` spread, and what is wrong with it."""
    query = _spread(given)
    problems: list[Problem] = []
    if query.get("type") == FACET:
        query |= _of_facet(query, problems)
    numbers = {name: _whole(query, name, default, problems) for name, default in _WHOLE.items()}
    filters, wrong = read_filters(query)
    problems += wrong
    text = query.get("query") or ""
    content: dict[str, Any] = {
        "query": text,
        "offset": numbers["page"] * numbers["hitsPerPage"],
        "limit": numbers["hitsPerPage"],
        "facets": _facets(query, problems),
        "facet_values": numbers["maxValuesPerFacet"],
        "facets_apart": False,  # InstantSearch asks again without what narrows a facet
        "filters": filters,
        "correct": query.get("typoTolerance", True) not in {False, "false"},
    }
    name = query.get("indexName")
    if found := _SORTED.search(name if isinstance(name, str) else ""):
        content["sort"] = found[1] if found[2] == "asc" else f"-{found[1]}"
    request = None
    try:
        request = SearchRequest.read(content)
    except RequestError as error:
        problems += error.problems
    return request, query, [Problem(f"{at}.{each.field}", each.text) for each in problems]


def _of_facet(query: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return the keys of a search that counts the values of the facet that a query looks among."""
    problems += [
        Problem(name, f"{query[name]!r:.60}, expected a text")
        for name in ("facet", "facetQuery")
        if not isinstance(query.get(name, ""), str)
    ]
    facet = query.get("facet")
    facets = [facet] if isinstance(facet, str) else []
    return {"facets": facets, "hitsPerPage": 0, "maxValuesPerFacet": 1000}


def _spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a query whose `params` (a=1&b=2) are keys as the others."""
    query = {name: value for name, value in given.items() if name != "params"}
    params = given.get("params")
    if isinstance(params, dict):
        query |= params
    elif isinstance(params, str):
        for name, text in parse_qsl(params, keep_blank_values=True):
            query[name] = _parsed(text) if name in _JSON_KEYS else text
    return query


def _parsed(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _whole(query: dict[str, Any], name: str, default: int, problems: list[Problem]) -> int:
    value = query.get(name, default)
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if type(value) is int and 0 <= value <= DEEPEST:
        return max(value, 1) if name == "maxValuesPerFacet" else value
    problems.append(Problem(name, f"{value!r:.60}, expected a whole number to {DEEPEST:,}"))
    return default


def _facets(query: dict[str, Any], problems: list[Problem]) -> list[str]:
    value = query.get("facets") or []
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        problems.append(Problem("facets", f"{value!r:.60}, expected names of fields"))
        return []
    if "*" in names:
        return [*ALL_FACETS]
    return [name.strip() for name in names if name.strip()]


def result(answer: Answer, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as one of Algolia's results."""
    size = answer.limit
    marks = [str(query.get(f"highlight{end}Tag", tag))[:100]
             for end, tag in (("Pre", "<em>"), ("Post", "</em>"))]  # fmt: skip
    words = set((answer.corrected or normalize_query(answer.query)).split())
    reachable = min(answer.total, DEEPEST)
    return {
        "hits": [_hit(hit.as_dict(), words, marks) for hit in answer.hits],
        "nbHits": answer.total,
        "page": answer.offset // size if size else 0,
        "nbPages": -(-reachable // size) if size else 0,
        "hitsPerPage": size,
        "exhaustiveNbHits": True,
        "exhaustiveFacetsCount": True,
        "query": answer.query,
        "corrected": answer.corrected,
        "left_out": list(answer.left_out),
        "weak": answer.is_weak,
        "params": str(query.get("params", "")),
        "index": str(query.get("indexName", "")),
        "queryID": answer.query_id,
        "processingTimeMS": round(answer.milliseconds.get("total", 0)),
        "facets": {name: facet.counts for name, facet in answer.facets.items()},
        "facets_stats": {
            name: _stats(facet.stats) for name, facet in answer.facets.items() if facet.stats
        },
    }


def facet_values(answer: Answer, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a facet that hold a text, as Algolia writes them."""
    wanted = str(query.get("facetQuery", ""))
    counts = next((facet.counts for facet in answer.facets.values()), {})
    hits = [
        {"value": value, "count": count, "highlighted": value}
        for value, count in counts.items()
        if wanted.lower() in value.lower()
    ]
    most = query.get("maxFacetHits", _FACET_HITS)
    most = most if type(most) is int and 0 < most <= 100 else _FACET_HITS
    return {"facetHits": hits[:most], "exhaustiveFacetsCount": True}


def _stats(stats: Stats) -> dict[str, float]:
    total = stats.mean * stats.count
    return {"min": stats.least, "max": stats.most, "avg": stats.mean, "sum": total}


def _hit(hit: dict[str, Any], words: set[str], marks: list[str]) -> dict[str, Any]:
    pictures = [f"/pictures/{sha}" for sha in hit["pictures"]]
    return hit | {
        "objectID": hit["item_id"],
        "pictures": pictures,
        "image": pictures[0] if pictures else None,
        "_highlightResult": {
            name: highlighted(str(hit[name]), words, marks) for name in _HIGHLIGHTED if hit[name]
        },
    }


def highlighted(text: str, words: set[str], marks: list[str]) -> dict[str, Any]:
    """Return a text with the words of a query between marks, as Algolia writes it."""
    matched: dict[str, None] = {}

    def marked(found: re.Match[str]) -> str:
        word = found[0].lower()
        if hit := next((w for w in words if _begins(word, w)), None):
            matched[hit] = None
            return f"{marks[0]}{found[0]}{marks[1]}"
        return found[0]

    value = _WORD.sub(marked, text)
    level = "none" if not matched else "full" if len(matched) == len(words) else "partial"
    return {
        "value": value,
        "matchLevel": level,
        "fullyHighlighted": False,
        "matchedWords": list(matched),
    }


def _begins(word: str, typed: str) -> bool:
    """Return whether a word is what was typed, or a form of it: "lamps" for "lamp"."""
    return word == typed or (len(typed) > 2 and word.startswith(typed))
