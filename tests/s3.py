"""An S3 server of this process (moto), for tests of object stores; nothing leaves the machine."""

from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import fsspec
import pytest

BUCKET = "shop"
_NEEDED = "needs moto and s3fs, which requirements.lock installs"


def _ask(url: str, call: str, body: bytes = b"") -> None:
    headers = {"Content-Type": "text/plain"}
    server = HTTPConnection(url.removeprefix("http://"))
    server.request("POST", f"/moto-api/{call}", body, headers)
    assert server.getresponse().status == 200
    server.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server."""
    moto = pytest.importorskip("moto.server", reason=_NEEDED)
    pytest.importorskip("s3fs", reason=_NEEDED)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with the bucket `shop`, found as the machine's configuration says."""
    settings = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    _ask(s3_server, "reset")
    files = fsspec.filesystem("s3")
    files.mkdir(BUCKET)
    return files


@pytest.fixture
def other_settings(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return what changes the machine's configuration; None takes a setting away."""

    def change(**settings: str | None) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
        type(s3).clear_instance_cache()

    yield change
    type(s3).clear_instance_cache()


@pytest.fixture
def strangers(s3: Any, s3_server: str) -> Iterator[Callable[[], None]]:
    """Return what makes the server refuse the credentials of this machine from then on."""
    assert s3.exists(BUCKET)
    yield lambda: _ask(s3_server, "reset-auth", b"0")
    _ask(s3_server, "reset-auth", b"inf")
