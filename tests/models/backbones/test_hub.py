"""What a hub refuses is told in one line; a hub on this machine answers as the real one does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from smar.models.pretrained import Checkpoint

ANSWERS = {
    "gated": (403, "GatedRepo"),
    "old": (404, "RevisionNotFound"),
    "gone": (401, "RepoNotFound"),
}
COMMIT = "0" * 40
Zoo = Callable[[str], Checkpoint]


class _Hub(BaseHTTPRequestHandler):
    """Answers for models of files, by their names, and refuses as `ANSWERS` says."""

    models: dict[str, dict[str, bytes]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if refused := next((name for name in ANSWERS if name in self.path), ""):
            code, reason = ANSWERS[refused]
            self.answer(code, b"", {"X-Error-Code": reason})
            return
        name = next(name for name in self.models if f"shop/{name}/" in f"{self.path}/")
        files = self.models[name]
        if "/resolve/" in self.path:
            content = files[self.path.partition(f"{COMMIT}/")[2]]
            self.answer(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{hash(content)}"'})
            return
        if "/tree/" in self.path:
            listed = [
                {"type": "file", "path": file, "size": len(content), "oid": file}
                for file, content in files.items()
            ]
            self.answer(200, json.dumps(listed).encode(), {})
            return
        siblings = [{"rfilename": file} for file in files]
        told = {"id": f"shop/{name}", "sha": COMMIT, "siblings": siblings}
        self.answer(200, json.dumps(told).encode(), {})

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def answer(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(zoo: Zoo) -> Iterator[tuple[str, list[str]]]:
    """A hub of three models, as its address and what it was asked."""
    whole = {file.name: file.read_bytes() for file in zoo("bert").folder.iterdir()}
    config = json.loads(whole["config.json"])
    own = config | {"model_type": "evil", "auto_map": {"AutoModel": "evil.Model"}}
    pickled = {name: c for name, c in whole.items() if name != "model.safetensors"}
    models = {
        "whole": whole,
        "code": whole | {"config.json": json.dumps(own).encode()},
        "pickled": pickled | {"pytorch_model.bin": b"pickled"},
    }
    asked: list[str] = []
    handler = type("Hub", (_Hub,), {"models": models, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def take_in(address: str, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (root / "params.yaml").write_text("")
    return subprocess.run(
        [sys.executable, "-m", "smar", "backbone", *arguments, "--root", str(root)],
        env=os.environ | {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gated", "asks for permission first: get it on its page"),
        ("old", "has no revision 'v9'"),
        ("gone", "is neither a folder here nor a model of the hub that you may see"),
    ],
)
def test_what_a_hub_refuses_is_told(
    name: str, message: str, hub: tuple[str, list[str]], tmp_path: Path
):
    done = take_in(hub[0], tmp_path, f"shop/{name}", "--revision", "v9")
    assert done.returncode == 2
    assert f"backbone: 'shop/{name}' {message}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "backbones").exists()


@pytest.mark.whole
@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_hub_that_nothing_reaches_is_told(address: str, tmp_path: Path):
    done = take_in(address, tmp_path, "shop/whole")
    assert done.returncode == 2
    assert "backbone: 'shop/whole' cannot be reached (" in done.stderr
    assert "`smar backbone shop/whole FOLDER`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "backbones").exists()


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "message"),
    [("code", "needs code from where it was downloaded"), ("pickled", "its weights are pickled")],
)
def test_what_cannot_be_used_is_refused_before_its_weights_come(
    name: str, message: str, hub: tuple[str, list[str]], tmp_path: Path
):
    done = take_in(hub[0], tmp_path, f"shop/{name}")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "backbones").exists()
    assert any("config.json" in path for path in hub[1])
    assert not any(path.endswith((".safetensors", ".bin")) for path in hub[1])


@pytest.mark.whole
def test_a_model_comes_as_it_is_on_the_hub(hub: tuple[str, list[str]], zoo: Zoo, tmp_path: Path):
    done = take_in(hub[0], tmp_path, "shop/whole")
    assert done.returncode == 0, done.stderr
    taken = Checkpoint("shop/whole", tmp_path / "backbones" / "shop" / "whole.model")
    assert taken.digest() == zoo("bert").digest()
