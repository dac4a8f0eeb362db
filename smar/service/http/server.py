"""The service behind uvicorn, in this process or as one of several."""

import logging
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from smar.service.http.app import build_app
from smar.service.http.listening import say_where, uvicorn_options
from smar.service.http.service import Service
from smar.service.http.settings import Settings
from smar.service.http.threads import limit_process, threads_of


def serve_here(root: Path, settings: Settings) -> None:
    """Serve in this process until it is told to stop.

    Raises:
        SmarError: If there is no release that could answer.
    """
    _Server(uvicorn.Config(app_of(root, settings), **uvicorn_options(settings))).run()


def app_of(root: Path, settings: Settings) -> ASGIApp:
    """Return the application of a new service, which takes its share of the machine.

    Raises:
        SmarError: If there is no release that could answer.
    """
    _have_access_logged()
    limit_process(threads_of(settings))
    return build_app(Service(root, settings))


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        for listening in self.servers:
            for each in listening.sockets:
                say_where(*each.getsockname()[:2])


def _have_access_logged() -> None:
    """Let the access log stand on standard output, a line of JSON each."""
    for name in ("smar.service", "smar.access"):
        logging.getLogger(name).setLevel(logging.INFO)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger("smar.access")
    access.addHandler(handler)
    access.propagate = False
