"""Several processes that answer on one port, and the one that minds them.

The first process binds the port and starts the others; uvicorn's supervisor starts one anew that
ends or hangs, and ends all when it is told to. It loads nothing heavy itself. Every process loads
the release and looks at the link by itself; what they map (the index, words, items, pictures) is in
memory once. They count into files of one folder, so that `/metrics` of any tells of all.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from smar.errors import SmarError
from smar.logs import set_up_logging
from smar.service.http.listening import say_where, uvicorn_options
from smar.service.http.settings import Settings

logger = logging.getLogger(__name__)

COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder of the counts; the client of Prometheus looks at it when it is imported."""
_HANGS_S = 60  # a process that says nothing for so long is ended; loading a release takes less
_AGAIN_S = 2.0  # before a process that cannot begin is started again
_LISTENS_S = 30.0


class WorkersError(SmarError):
    """No process could begin to serve; each has said why."""


@dataclass(frozen=True)
class _Ready:
    """What the processes tell the first one.

    Args:
        loaded: Released by each once it has loaded.
        ever: Set once one has.
    """

    loaded: Any
    ever: Any


def serve_together(root: Path, settings: Settings) -> None:
    """Serve with several processes until this one is told to stop.

    Args:
        root: The project's root folder.
        settings: Say how many.

    Raises:
        WorkersError: If none can begin.
    """
    spawn = multiprocessing.get_context("spawn")
    ready = _Ready(spawn.Semaphore(0), spawn.Event())
    config = uvicorn.Config(
        partial(_app, root, settings, ready),
        factory=True,
        workers=settings.workers,
        timeout_worker_healthcheck=_HANGS_S,
        **uvicorn_options(settings),
    )
    with tempfile.TemporaryDirectory(prefix="smar-counts-") as counts:
        os.environ[COUNTS] = counts
        listening = config.bind_socket()
        say = partial(_say_where, listening, ready, settings.workers)
        threading.Thread(target=say, daemon=True).start()
        try:
            Multiprocess(config, sockets=[listening]).run()
        finally:
            del os.environ[COUNTS]
    if not ready.ever.is_set():
        raise WorkersError("no process could begin to serve.")


def _app(root: Path, settings: Settings, ready: _Ready) -> Any:
    """Return the application of one process.

    Where no process could ever begin, none will, and the supervisor ends; else this one may be able
    to later, as when the current release was damaged after the others had loaded theirs.
    """
    from smar.service.http.server import app_of

    set_up_logging("smar.service", is_quiet=False)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    try:
        app = app_of(root, settings)
    except SmarError as error:
        sys.stderr.write(f"smar serve: {error}\n")
        if not ready.ever.is_set():
            sys.exit(STARTUP_FAILURE)
        time.sleep(_AGAIN_S)
        sys.exit(1)
    ready.ever.set()
    ready.loaded.release()
    return app


def _end_with_the_first() -> None:
    """End this process, as if it were told to, when the first one is gone."""
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _say_where(listening: socket.socket, ready: _Ready, workers: int) -> None:
    """Say where the service listens once all processes answer."""
    for _ in range(workers):
        ready.loaded.acquire()
    host, port = listening.getsockname()[:2]
    until = time.monotonic() + _LISTENS_S
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            time.sleep(0.05)
            continue
        say_where(host, port)
        return
