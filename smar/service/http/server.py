"""The service behind uvicorn, in this process or as one of several."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import faiss
import uvicorn
from fastapi import FastAPI

from smar.service.http.app import build_app
from smar.service.http.listening import say_where, uvicorn_options
from smar.service.http.service import Service
from smar.service.http.settings import Settings


def serve_here(root: Path, settings: Settings) -> None:
    """Serve in this process until it is told to stop.

    Raises:
        SmarError: If there is no release that could answer.
    """
    _Server(uvicorn.Config(app_of(root, settings), **uvicorn_options(settings))).run()


def app_of(root: Path, settings: Settings) -> FastAPI:
    """Return the application of a new service, which takes its share of the machine.

    Raises:
        SmarError: If there is no release that could answer.
    """
    _have_access_logged()
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.workers)
    faiss.omp_set_num_threads(threads)
    _give_torch(threads)
    return build_app(Service(root, settings))


def _give_torch(threads: int) -> None:
    """Have torch take so many threads, also where it is loaded later: with a graph it never is."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # it looks there when it is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


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
