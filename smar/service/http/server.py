"""The service behind uvicorn."""

import logging
import sys
from pathlib import Path
from typing import Any

import uvicorn

from smar.params import load_params
from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 2000


def serve(root: Path, settings: Settings) -> None:
    """Serve until the process is told to stop.

    Raises:
        SmarError: If there is no release that could answer.
    """
    for name in ("smar.service", "smar.access"):
        logging.getLogger(name).setLevel(logging.INFO)
    _have_access_logged()
    _say_who_reads(root, settings)
    service = Service(root, settings)
    config = uvicorn.Config(
        build_app(service),
        host=settings.host,
        port=settings.port,
        access_log=False,  # ours names no client and no query
        log_level="warning",
        server_header=False,
        date_header=True,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.stop_s) or 1,
    )
    _Server(config).run()


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        for listening in self.servers:
            for each in listening.sockets:
                host, port = each.getsockname()[:2]
                sys.stdout.write(f"http://{host}:{port}  (stop with ctrl-c)\n")
                sys.stdout.flush()


def _have_access_logged() -> None:
    """Let the access log stand on standard output, a line of JSON each."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger("smar.access")
    access.addHandler(handler)
    access.propagate = False


def _say_who_reads(root: Path, settings: Settings) -> None:
    """Say what to set where ingest does not read the log that is written."""
    params = load_params(root / "params.yaml").ingest
    reads = params.source == "feed" and params.log.kind == "ubi"
    names = {params.log.queries.strip("/"), params.log.events.strip("/")}
    if settings.log and not (reads and settings.log_folder.strip("/") in names):
        logger.warning(
            "searches are logged to %s, which ingest does not read: set ingest.source: feed and "
            "ingest.log: {kind: ubi, queries: %s, events: %s} in params.yaml",
            root / params.folder / settings.log_folder,
            settings.log_folder,
            settings.log_folder,
        )
