"""What a hub refuses is told in one line; a hub on this machine answers as the real one does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ANSWERS = {
    "gated": (403, "GatedRepo"),
    "old": (404, "RevisionNotFound"),
    "gone": (401, "RepoNotFound"),
}


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = next(name for name in ANSWERS if name in self.path)
        code, reason = ANSWERS[name]
        self.send_response(code)
        self.send_header("X-Error-Code", reason)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop/gated", "asks for permission first: get it on its page"),
        ("shop/old", "has no revision 'v9'"),
        ("shop/gone", "is neither a folder here nor a model of the hub that you may see"),
    ],
)
def test_what_a_hub_refuses_is_told(name: str, message: str, hub: str, tmp_path: Path):
    (tmp_path / "params.yaml").write_text("")
    command = [sys.executable, "-m", "smar", "backbone", name, "--revision", "v9"]
    done = subprocess.run(
        [*command, "--root", str(tmp_path)],
        env=os.environ | {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert f"backbone: '{name}' {message}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "backbones").exists()
