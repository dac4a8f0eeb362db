"""A small released project behind the service, in this process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings

# A machine whose disk is nearly full would refuse to log; what tests write is small.
ROOMY = {"log_free_mb": 0.0, "per_client_s": 0.0, "access_log": False, "encoder": "torch"}
ADDRESS = "http://127.0.0.1"


class Client(TestClient):
    """A client that knows the service which it asks."""

    def __init__(self, service: Service, *, raises: bool) -> None:
        super().__init__(build_app(service), ADDRESS, raise_server_exceptions=raises)
        self.service = service


@pytest.fixture(scope="module")
def project(shared_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small project, of this module alone."""
    root = tmp_path_factory.mktemp("served") / "project"
    return Path(shutil.copytree(shared_project, root, symlinks=True))


@pytest.fixture(scope="module")
def service(project: Path) -> Iterator[Service]:
    made = Service(project, Settings(**ROOMY))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    """A client whose requests end in the routes; errors of a route are raised here."""
    return Client(service, raises=True)


@pytest.fixture
def serve(small_project: Path) -> Iterator[Callable[..., Client]]:
    """Return what starts a service of its own with some settings."""
    started: list[Service] = []

    def start(**settings: object) -> Client:
        made = Service(small_project, Settings(**(ROOMY | settings)))
        started.append(made)
        return Client(made, raises=False)

    yield start
    for made in started:
        made.close()
