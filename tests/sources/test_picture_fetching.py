"""Pictures downloaded from a server on loopback: resume, limits, and what is not followed."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from PIL import Image

from smar.cli import main
from smar.params import ImageStoreParams
from smar.sources.picture_fetching import FetchLimits, _is_public, fetch_pictures
from smar.sources.picture_files import FETCHED, read_rows
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine

LIMITS = FetchLimits(delay_s=0, max_bytes=5000, timeout_s=5, allow_private=True)


def picture(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (20, 20), colour).save(buffer, "PNG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    seen: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        path = self.path
        self.seen[path] += 1
        if path.startswith("/moved"):
            self.answer(302, b"", Location=path.replace("/moved", "/a"))
        elif path == "/loop":
            self.answer(302, b"", Location="/loop")
        elif path == "/out":
            self.answer(302, b"", Location="file:///etc/passwd")
        elif path == "/busy" and self.seen[path] == 1:
            self.answer(503, b"", **{"Retry-After": "0"})
        elif path == "/page":
            self.answer(200, b"<html>", **{"Content-Type": "text/html"})
        elif path == "/vague":
            self.answer(200, picture("blue"), **{"Content-Type": "application/octet-stream"})
        elif path == "/large":
            self.answer(200, bytes(6000), **{"Content-Type": "image/png"})
        elif path in {"/a.png?v=1", "/busy", "/red%20pan.png"}:
            self.answer(200, picture("red"), **{"Content-Type": "image/png; charset=x"})
        else:
            self.answer(404, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is there
        pass


@pytest.fixture
def host() -> Iterator[str]:
    Handler.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def problems(folder: Path) -> dict[str, str]:
    return {row["url"].rpartition("/")[2]: row["problem"] for row in read_rows(folder)}


def test_pictures_are_fetched_listed_and_not_asked_for_again(tmp_path: Path, host: str):
    urls = [
        f"{host}/{path}" for path in ("a.png?v=1", "moved.png?v=1", "busy", "vague", "red pan.png")
    ]
    counts = fetch_pictures(tmp_path, [*urls, urls[0]], LIMITS)
    assert counts == {"fetched": 5, "kept": 0, "failed": 0}
    for row in read_rows(tmp_path):
        content = (tmp_path / row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["file"].endswith(".png")
    before = Handler.seen.total()
    file = next(row["file"] for row in read_rows(tmp_path) if row["url"].endswith("/vague"))
    (tmp_path / file).write_bytes(b"cut")
    assert fetch_pictures(tmp_path, urls, LIMITS) == {"fetched": 1, "kept": 4, "failed": 0}
    assert Handler.seen.total() == before + 1


def test_what_is_no_picture_is_listed_with_its_reason(tmp_path: Path, host: str):
    paths = ("none.png", "loop", "out", "page", "large")
    urls = [*(f"{host}/{path}" for path in paths), "ftp://x.example/a", "http://[", "https://"]
    assert fetch_pictures(tmp_path, urls, LIMITS) == {"fetched": 0, "kept": 0, "failed": 8}
    assert problems(tmp_path) == {
        "none.png": "status 404",
        "loop": "more than 5 redirects",
        "out": "is no http or https URL",
        "page": "is text/html, no picture",
        "large": "is larger than 5000 bytes",
        "a": "is no http or https URL",
        "[": "is no http or https URL",
        "": "is no http or https URL",
    }
    assert [path for path in (tmp_path / FETCHED).rglob("*") if path.is_file()] == [
        tmp_path / FETCHED / "pictures.tsv"
    ]


def test_private_addresses_are_not_reached_unless_allowed(tmp_path: Path, host: str):
    counts = fetch_pictures(tmp_path, [f"{host}/a.png?v=1"], FetchLimits(delay_s=0))
    assert counts["failed"] == 1
    assert "address is private" in read_rows(tmp_path)[0]["problem"]
    assert not Handler.seen


@pytest.mark.parametrize(
    ("address", "is_public"),
    [("8.8.8.8", True), ("10.0.0.1", False), ("127.0.0.1", False), ("169.254.169.254", False),
     ("192.168.1.1", False), ("::1", False), ("fe80::1%eth0", False), ("::ffff:10.0.0.1", False),
     ("100.64.0.1", False), ("224.0.0.1", False), ("2606:4700::1111", True)],
)  # fmt: skip
def test_public_addresses(address: str, is_public: bool):
    assert _is_public(address) == is_public


def test_command_fetches_what_ingest_then_reads(tmp_path: Path, host: str):
    project = tmp_path
    shop = project / "shop"
    shop.mkdir()
    url = f"{host}/a.png?v=1"
    (shop / "products.csv").write_text(f"id,title,image_link\n1,Pan,{url}\n2,Lid,local.png\n")
    text = (Path(__file__).parents[2] / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("folder: data/raw ", "folder: shop "))
    assert main(["fetch-pictures", "--allow-private", "--root", str(project)]) == 0
    (project / "out").mkdir()
    ids, *_ = pack_images(
        shop,
        [PictureFile("1", 1, url)],
        project / "out",
        ImageStoreParams(height=16, width=16),
        Quarantine(),
    )
    assert ids == [0]
