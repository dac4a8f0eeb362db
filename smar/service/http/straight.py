"""Searches go straight to where they are answered.

The framework asks who listens to spans, looks at every route in turn, and keeps a stack of what a
request has opened; for a search, of which there are the most by far, that takes as long as to read
it and to write its answer. What guards, counts and logs requests stands before it as before every
route; where spans are made of requests, searches are left to the framework, which makes them.
"""

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from smar.service.http.problems import response_of
from smar.service.http.searching import answered
from smar.service.http.service import Service

PATH = "/search"
_METHODS = frozenset({"GET", "POST"})


class Straight:
    """Answers searches, and has everything else answered.

    Args:
        app: What answers the rest.
        service: What answers searches.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._route = Route(PATH, answered)  # by its path the access log and the counts call it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_search = scope["type"] == "http" and scope["path"] == PATH
        if not is_search or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        request = Request(scope, receive)
        try:
            response = await answered(self._service, request)
        except Exception as error:  # noqa: BLE001 - the client is told, the service goes on
            response = response_of(request, error)
        await response(scope, receive, send)
