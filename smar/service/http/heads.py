"""HEAD, which load balancers and crawlers ask with: what GET answers, without the body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smar.service.http.straight import PATH as SEARCH


class Heads:
    """Answers HEAD for whatever has GET, but for searches, each of which is counted and logged.

    Args:
        app: What answers GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == SEARCH:
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, without_body)
        finally:
            scope["route"] = asked.get("route")  # by its path the access log and the counts call it
