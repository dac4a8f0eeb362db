"""Searches: /search, by address or by body."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request
from starlette.responses import Response

from smar.errors import Problem, ReleaseError, RequestError, near_match
from smar.service.answer import Answer
from smar.service.hits import Hit
from smar.service.http import openapi
from smar.service.http.answer_bytes import answer_bytes
from smar.service.http.patience import UNDER_WAY
from smar.service.http.reading import JsonBytes, of_query, read_object, taken
from smar.service.http.service import Ask, Service, is_current
from smar.service.kept_items import PICTURES
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

router = APIRouter()


def service_of(request: Request) -> Service:
    """Return the service that a request is for."""
    return request.app.state.service


@router.get("/search", openapi_extra=openapi.SEARCH_GET, responses=openapi.ANSWERS)
async def search_get(request: Request) -> Response:
    """Items for a query, from the parameters of an address."""
    return await answered(service_of(request), request)


@router.post("/search", openapi_extra=openapi.SEARCH_POST, responses=openapi.ANSWERS)
async def search_post(request: Request) -> Response:
    """Items for a query, with filters, facets, pages, sorting and the reasons."""
    return await answered(service_of(request), request)


async def answered(service: Service, request: Request) -> Response:
    """Return the response to a search, by address or by body.

    Raises:
        SmarError: If it cannot be answered.
        HttpError: If it cannot be read, or too many wait.
    """
    if request.method == "POST":
        content = await read_object(request)
    else:
        content = _of_address(request.scope["query_string"])
    client_id, is_logged = taken(content)
    search = SearchRequest.read(content)
    filters = content.get("filters")
    answer, waited_ms = await ask(service, request, search, client_id, filters, is_logged=is_logged)
    return JsonBytes(answer_bytes(answer, waited_ms))


def _of_address(query: bytes) -> dict[str, Any]:
    """Return a search's keys from the query of an address.

    It is read as `urllib.parse.parse_qsl` does, in two thirds of its time.
    """
    pairs = [
        (_unquoted(name), _unquoted(value))
        for name, _, value in (
            pair.partition("=") for pair in query.decode("latin-1").split("&") if pair
        )
    ]
    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        problems = [
            Problem(name, "is given more than once") for name in given if names.count(name) > 1
        ]
        raise RequestError(problems)
    return of_query(given)


def _unquoted(text: str) -> str:
    """Return a part of an address as it was meant; most are as they are."""
    return unquote_plus(text) if "%" in text or "+" in text else text


async def ask(
    service: Service,
    request: Request,
    search: SearchRequest,
    client_id: str = "",
    filters: object = None,
    *,
    is_logged: bool = True,
) -> tuple[Answer, float]:
    """Return the answer to a search, and how long it was waited for in milliseconds.

    Raises:
        SmarError: If it cannot be answered.
        HttpError: If too many wait.
    """
    retriever = None
    if search.release:
        retriever = await _retriever(service, request, search.release)
        if is_current(search.release):
            search = replace(search, release="")
    start = time.perf_counter()  # the loop's own clock has whole milliseconds
    asked = Ask(search, client_id, is_logged, filters, retriever)
    under_way = request.scope.get("extensions", {}).get(UNDER_WAY, {}).get("tasks", ())
    answer = await service.batcher.ask(asked, is_alone=len(under_way) == 1)
    request.scope["state"] |= {
        "said": answer.query,
        "release": answer.release,
        "hits": answer.total,
    }
    return answer, 1000 * (time.perf_counter() - start)


async def _retriever(service: Service, request: Request, release: str) -> Retriever | None:
    """Return the release that a request names, None for the current one.

    To load one takes seconds and memory, so that only those who administer may have it done.
    """
    if is_current(release):
        return None
    if not service.live.is_loaded(release):
        known = service.live.versions()
        if release not in known:
            text = f"there is no release '{release[:80]}', only {', '.join(known) or 'none'}."
            raise ReleaseError(text + near_match(release, known))
        service.keys.check(request, "admin")
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(service.pool, service.live.get, release)


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return a hit in plain types; pictures are addresses."""
    return hit.as_dict(PICTURES)
