"""/1/indexes/...: searches in Algolia's shape."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from smar.errors import Problem, RequestError
from smar.service.http import algolia, openapi
from smar.service.http.problems import HttpError
from smar.service.http.reading import json_response, read_object
from smar.service.http.searching import ask, service_of

router = APIRouter(prefix="/1/indexes")
_MOST = 50


@router.post("/{index}/queries", openapi_extra=openapi.ALGOLIA, responses=openapi.ALGOLIA_ANSWERS)
async def queries(request: Request, index: str) -> Response:
    """Answers to several queries, as algoliasearch and InstantSearch.js ask for them."""
    content = await read_object(request)
    given = content.get("requests")
    if not isinstance(given, list) or len(given) > _MOST:
        text = f"expected a list of at most {_MOST} queries"
        raise RequestError([Problem("requests", f"{given!r:.60}, {text}")])
    return json_response({"results": await _answered(request, given)})


@router.post("/{index}/query", openapi_extra=openapi.ALGOLIA, responses=openapi.ALGOLIA_ANSWERS)
async def query(request: Request, index: str) -> Response:
    """The answer to one query, as algoliasearch asks for it."""
    content = await read_object(request)
    return json_response((await _answered(request, [{"indexName": index} | content]))[0])


@router.post(
    "/{index}/facets/{facet}/query",
    openapi_extra=openapi.ALGOLIA,
    responses=openapi.ALGOLIA_ANSWERS,
)
async def facet_values(request: Request, index: str, facet: str) -> Response:
    """Values of a facet that hold a text, for refinement lists with a search box."""
    content = await read_object(request)
    asked = content | {"indexName": index, "type": algolia.FACET, "facet": facet}
    return json_response((await _answered(request, [asked]))[0])


async def _answered(request: Request, given: list[Any]) -> list[dict[str, Any]]:
    """Return the results of queries; all problems of all of them are told at once."""
    service = service_of(request)
    problems: list[Problem] = []
    searches = []
    for place, one in enumerate(given):
        at = f"requests.{place}"
        if not isinstance(one, dict):
            problems.append(Problem(at, f"{one!r:.60}, expected an object"))
            continue
        search, keys, wrong = algolia.read_query(one, at)
        problems += wrong
        if search is not None:
            searches.append((search, keys))
    if problems:
        raise RequestError(problems)
    asked = [
        ask(
            service,
            request,
            search,
            str(keys.get("userToken", ""))[:200],
            {name: keys[name] for name in ("filters", "facetFilters", "numericFilters")
             if keys.get(name)},
            is_logged=keys.get("analytics", True) not in {False, "false"},
        )
        for search, keys in searches
    ]  # fmt: skip
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, (RequestError, HttpError)):
            raise answer
        if isinstance(answer, BaseException):
            raise answer
    return [
        algolia.result(answer[0], keys | {"params": _params(keys)})
        if keys.get("type") != algolia.FACET
        else algolia.facet_values(answer[0], keys)
        for answer, (_, keys) in zip(answers, searches, strict=True)
        if not isinstance(answer, BaseException)
    ]


def _params(keys: dict[str, Any]) -> str:
    plain = {n: v for n, v in keys.items() if isinstance(v, str | int | float) and n != "indexName"}
    return urlencode(plain)
