"""`smar serve`."""

import argparse
from pathlib import Path
from typing import Any


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add `serve` to the command line."""
    line = "Search over HTTP: a page, an API, and the log that the next training reads."
    serve = commands.add_parser("serve", help=line, description=line, parents=[shared])
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default: 8000)")
    serve.add_argument("--release", metavar="VERSION", help="as of search (default: the current)")
    serve.add_argument("--workers", type=int, metavar="N", help="processes (default: 1)")
    serve.add_argument(
        "--settings", type=Path, metavar="FILE", help="default: serve.yaml of the project, if any"
    )


def run(options: argparse.Namespace) -> None:
    """Serve until the process is told to stop.

    Raises:
        SmarError: If the settings or the releases do not allow it.
    """
    from smar.service.http.listening import let_threads_sleep, say_who_reads
    from smar.service.http.settings import read_settings

    given = {name: getattr(options, name) for name in ("host", "port", "release", "workers")}
    settings = read_settings(options.root, options.settings, given)
    say_who_reads(options.root, settings)
    let_threads_sleep()
    if settings.workers == 1:
        from smar.service.http.server import serve_here

        serve_here(options.root, settings)
    else:
        from smar.service.http.workers import serve_together

        serve_together(options.root, settings)
