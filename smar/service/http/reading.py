"""From what a client sends to plain types, and from plain types to what it gets."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from smar.errors import Problem, RequestError, near_match
from smar.service.http.problems import HttpError

_LONGEST_ID = 200
_WHOLE = ("page", "per_page", "offset", "limit", "facet_values", "sort_among")
_TRUE = {"true": True, "1": True, "false": False, "0": False}
_JSON_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


async def read_json(request: Request, *, is_strict: bool = False) -> Any:
    """Return the body.

    Args:
        request: The request.
        is_strict: Whether the body has to be declared as JSON: browsers send what is not to
            other origins without asking them first.

    Raises:
        HttpError: If it is no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_strict and kind != "application/json":
        raise HttpError(415, f"content-type is {kind[:60]!r}, expected application/json.")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"The body is no JSON: {error}.") from error


async def read_object(request: Request) -> dict[str, Any]:
    """Return a body that is an object.

    Raises:
        HttpError: If it is none.
    """
    content = await read_json(request)
    if not isinstance(content, dict):
        raise HttpError(400, 'The body is no object, expected one such as {"query": "lamp"}.')
    return content


def of_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a search's keys from the parameters of an address: q=lamp&page=2&facets=brand.

    What cannot be read as a key's type stays a text, which the search refuses with words.
    """
    content: dict[str, Any] = {}
    for name, text in parameters.items():
        if name == "q":
            content["query"] = text
        elif name == "facets":
            content[name] = [part for part in text.split(",") if part]
        elif name in _WHOLE:
            is_number = text.lstrip("-").isdecimal() and len(text) < 10
            content[name] = int(text) if is_number else text
        elif name in {"explain", "correct", "facets_apart", "track"}:
            content[name] = _TRUE.get(text.lower(), text)
        elif name in {"min_relevance", "word_share", "gate"}:
            content[name] = _number(text)
        elif name == "filters":
            content[name] = _json(text)
        else:
            content[name] = text
    return content


def no_others(request: Request) -> None:
    """Refuse parameters of an address that its route does not have; a dependency of routes.

    Raises:
        RequestError: With every one of them.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    others = [name for name in request.query_params if name not in known]
    if others:
        expected = f"is not known here; parameters are {', '.join(known)}."
        raise RequestError([Problem(name, expected + near_match(name, known)) for name in others])


def taken(content: dict[str, Any]) -> tuple[str, bool]:
    """Take out who searches and whether the search is logged; the rest is the search.

    Raises:
        RequestError: If they are not what they should be.
    """
    client_id, is_logged = content.pop("client_id", ""), content.pop("track", True)
    problems = []
    if not isinstance(client_id, str) or len(client_id) > _LONGEST_ID:
        expected = f"expected a text of at most {_LONGEST_ID} characters"
        problems.append(Problem("client_id", f"{client_id!r:.60}, {expected}"))
    if not isinstance(is_logged, bool):
        problems.append(Problem("track", f"{is_logged!r:.60}, expected true or false"))
    if problems:
        raise RequestError(problems)
    return client_id, is_logged


def json_response(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return plain types as JSON that no cache keeps."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return Response(
        body, status, {"cache-control": "no-store", **(headers or {})}, "application/json"
    )


class JsonBytes(Response):
    """Bytes of JSON that no cache keeps, with headers that need no making: searches are many.

    Args:
        body: The JSON.
    """

    def __init__(self, body: bytes) -> None:
        self.body, self.status_code, self.background = body, 200, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *_JSON_HEADERS]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
