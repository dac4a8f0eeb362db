"""Who may write and administer: holders of a key, and this machine where there are no keys."""

import hashlib
import hmac
from typing import Literal

from fastapi import Request

from smar.service.http.problems import HttpError
from smar.service.http.settings import Settings

Scope = Literal["write", "admin"]
_HEADER = "x-api-key"
_BEARER = "bearer "


class Keys:
    """The keys of a service.

    Args:
        settings: Says which there are, and where the service listens.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys, self._is_open = settings.keys, settings.is_loopback and not settings.keys
        self._events_need_key = settings.events_need_key

    def check(self, request: Request, scope: Scope) -> None:
        """Refuse a request without a key of a scope.

        Raises:
            HttpError: If there is none, or not the right one.
        """
        if self._is_open:
            return
        if not self._keys:
            raise HttpError(
                403, "This route needs a key, and the service has none: set `keys` in serve.yaml."
            )
        given = self._given(request)
        if not given:
            raise HttpError(401, "This route needs a key in the header X-Api-Key.")
        digest = hashlib.sha256(given.encode()).hexdigest()
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, digest)]
        if not found:
            raise HttpError(401, "The key is not known.")
        if not any(scope in key.scopes for key in found):
            raise HttpError(403, f"The key is not for '{scope}' routes.")
        request.state.key = found[0].name

    def check_events(self, request: Request) -> None:
        """Refuse a request that may not add to the event log; as `check`."""
        if self._events_need_key:
            self.check(request, "write")

    @staticmethod
    def _given(request: Request) -> str:
        bearer = request.headers.get("authorization", "")
        if bearer.lower().startswith(_BEARER):
            return bearer[len(_BEARER) :].strip()
        return request.headers.get(_HEADER, "")
