"""A real browser, the service on a real socket, and a shop's own page beside it.

`make browser` runs these tests. Chromium is the one that SMAR_BROWSER names, Playwright's
(`python -m playwright install chromium`) or the system's; what shops load from npm is installed
from this folder's package-lock.json.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from smar.cli import main
from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings
from tests.service.http.shoppers import LENIENT

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
ROOMY: dict[str, Any] = {"log_free_mb": 0.0, "access_log": False, "encoder": "torch"}


@pytest.fixture(scope="session")
def packages() -> Path:
    """What `npm ci` installed."""
    if not PACKAGES.is_dir():
        pytest.skip("needs npm's packages: `make browser`, or npm ci in tests/browser")
    return PACKAGES


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
        systems = ("chromium", "chromium-browser", "google-chrome")
        paths = (os.environ.get("SMAR_BROWSER"), own, *map(shutil.which, systems))
        path = next((each for each in paths if each and Path(each).is_file()), None)
        if path is None:
            pytest.skip("needs a browser: python -m playwright install chromium, or a system's")
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def serving(root: Path, **settings: Any) -> Iterator[tuple[str, Service]]:
    """Serve a project on a socket; yields the address of its page and the service."""
    service = Service(root, Settings(**(ROOMY | settings)))
    server = uvicorn.Server(
        uvicorn.Config(build_app(service), port=settings.get("port", 0), log_level="warning")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/", service
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def two_releases(
    shared_project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    change_params: Callable[[Path, dict[str, Any]], None],
) -> Path:
    """The small project with a second release, which ranks otherwise."""
    root = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(shared_project, root, symlinks=True)
    change_params(root, {**LENIENT, "index.word_share": 0.9})
    for stage in ("index", "evaluate", "promote"):
        assert main([stage, "-q", "--root", str(root)]) == 0, stage
    assert (root / "releases/v2").is_dir()
    return root


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps it to itself."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def shop(packages: Path) -> Iterator[str]:
    """The address of a shop's page, of another origin than the service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=HERE))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def watched(browser: Any, *allowed: str, expected: str = "\0", **options: Any) -> Iterator[Any]:
    """Open a page; what the browser complains of, or is asked of other hosts, fails the test.

    Args:
        browser: The browser.
        *allowed: Beginnings of the addresses that may be asked.
        expected: What a complaint may say, such as a status that the test asks for.
        **options: Of the browser's context.
    """
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on(
        "request",
        lambda asked: complaints.append(asked.url) if not asked.url.startswith(allowed) else None,
    )
    yield page
    context.close()
    assert [each for each in complaints if expected not in each] == []


def settled(page: Any) -> None:
    """Wait until smar's page asks nothing of the service any more."""
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("body:not(.busy)")
