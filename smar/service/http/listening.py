"""Where the service listens and what of uvicorn it asks for; nothing heavy is loaded for it."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from smar.service.http.log_folder import AUTO, log_folder
from smar.service.http.patience import impatient
from smar.service.http.settings import Settings

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 2000


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Return the options of uvicorn that settings ask for."""
    return {
        "host": settings.host,
        "port": settings.port,
        "access_log": False,  # ours names no client and no query
        "log_level": "warning",
        "server_header": False,
        "date_header": True,
        "limit_concurrency": _MOST_CONNECTIONS,
        "timeout_keep_alive": 30,
        "http": impatient(settings.body_s),
        "timeout_graceful_shutdown": int(settings.stop_s) or 1,
    }


def let_threads_sleep() -> None:
    """Have threads of OpenMP sleep where they wait; before what uses them is imported.

    They turn for some milliseconds by themselves, of which the library does without only where it
    has started more threads than there are processors. Where other processes work, too, two of
    Faiss's that turn take the time of nine tenths of all searches.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def say_where(host: str, port: int) -> None:
    """Tell people, and programs that read the first line, where the service listens."""
    name = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"http://{name}:{port}  (stop with ctrl-c)\n")
    sys.stdout.flush()


def say_who_reads(root: Path, settings: Settings) -> None:
    """Say what to set where ingest does not read the log that is written."""
    folder, is_read = log_folder(root, settings.log_folder)
    if settings.log and not is_read:
        name = "ubi" if settings.log_folder == AUTO else settings.log_folder
        logger.warning(
            "searches are logged to %s, which ingest does not read; for a shop's own feed set "
            "ingest.log: {kind: ubi, queries: %s, events: %s} in params.yaml, and start again",
            folder,
            name,
            name,
        )
