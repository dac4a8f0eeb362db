"""What went wrong, as RFC 9457 says it: one document with all problems."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from smar.errors import Problem, ReleaseError, RequestError
from smar.service.event_files import LogBusyError, LogFullError

logger = logging.getLogger(__name__)

TYPE = "application/problem+json"
_TITLES = {
    400: "The request cannot be read",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not there",
    405: "The method is not allowed",
    408: "The request came too slowly",
    413: "The request is too large",
    415: "The body is no JSON",
    421: "The host is not served here",
    422: "The request asks for what cannot be",
    429: "Too many requests",
    500: "Something broke in the service",
    503: "The service cannot answer now",
    507: "The event log is full",
}

_MEND = "Nothing was done; mend what is listed under problems."
_ROUTING = {
    404: "There is no such route; GET /openapi.json lists them.",
    405: "The route does not take this method; GET /openapi.json says which it takes.",
}


class HttpError(Exception):
    """A request that is refused.

    Args:
        status: The response's status.
        detail: What is wrong and what to do.
        problems: Everything that is wrong, by its place.
        retry_s: When to come back, in seconds; None for never.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[Problem] = (),
        retry_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.problems = status, detail, list(problems)
        self.retry_s = retry_s

    def response(self) -> Response:
        """Return it as a response."""
        headers = {} if self.retry_s is None else {"retry-after": str(self.retry_s)}
        return problem_response(self.status, self.detail, self.problems, headers)


def problem_response(
    status: int,
    detail: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document."""
    name = _TITLES.get(status, "The request failed")
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": name,
        "status": status,
        "detail": detail,
    }
    if problems:
        content["problems"] = [{"field": each.field, "detail": each.text} for each in problems]
    body = orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, TYPE)


def add_handlers(app: FastAPI) -> None:
    """Have every error of an app end in a problem document."""
    ours = HttpError, RequestError, ReleaseError, LogFullError, LogBusyError
    for kind in (*ours, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, response_of)


def response_of(request: Request, error: Exception) -> Response:
    """Return an error as a response; what nobody foresaw is logged."""
    match error:
        case HttpError():
            return error.response()
        case RequestError():
            return problem_response(422, _MEND, error.problems)
        case ReleaseError():
            return problem_response(404, str(error))
        case LogFullError():
            return problem_response(507, f"Nothing of the request was kept. {error}")
        case LogBusyError():
            detail = f"Nothing of the request was kept; send it again. {error}"
            return problem_response(503, detail, headers={"retry-after": "1"})
    return _of_theirs(request, error)


def _of_theirs(request: Request, error: Exception) -> Response:
    match error:
        case RequestValidationError():
            return problem_response(422, _MEND, _problems_of(error))
        case HTTPException():
            detail = _ROUTING.get(error.status_code, str(error.detail))
            return problem_response(error.status_code, detail, headers=error.headers)
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(500, "The service goes on; its log says what broke.")


def _problems_of(error: RequestValidationError) -> list[Problem]:
    return [
        Problem(".".join(map(str, each["loc"][1:])), f"{each['msg']}, got {each['input']!r:.60}")
        for each in error.errors()
    ]
