"""Pictures in object stores: what may be read, and what is said of the rest."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

from smar.errors import ParamsError
from smar.sources.picture_fetching import FetchLimits, fetch_pictures
from smar.sources.picture_files import is_url, read_rows
from smar.sources.picture_stores import check_stores

LIMITS = FetchLimits(delay_s=0, max_bytes=5000, stores=["memory://shop/pictures"])


def picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (20, 20), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """An object store with pictures, in memory."""
    files = fsspec.filesystem("memory")
    for key in ("shop/pictures/a.png", "shop/pictures/no-ending", "shop/private/b.png"):
        files.pipe_file(key, picture())
    files.pipe_file("shop/pictures/large.png", bytes(6000))
    files.pipe_file("shop/pictures/page.html", b"<html>")
    files.pipe_file("shop/pictures-of-others/c.png", picture())
    yield files
    files.rm("shop", recursive=True)


@pytest.mark.usefixtures("store")
def test_pictures_of_a_named_store_are_fetched_once(tmp_path: Path):
    urls = ["memory://shop/pictures/a.png", "memory://shop/pictures/no-ending"]
    assert fetch_pictures(tmp_path, urls, LIMITS) == {"fetched": 2, "kept": 0, "failed": 0}
    assert fetch_pictures(tmp_path, urls, LIMITS) == {"fetched": 0, "kept": 2, "failed": 0}
    rows = read_rows(tmp_path)
    assert {Path(row["file"]).suffix for row in rows} == {".png"}
    assert all((tmp_path / row["file"]).read_bytes() == picture() for row in rows)


@pytest.fixture
def bucket(s3: Any) -> Any:
    """A bucket with pictures."""
    s3.pipe_file("shop/pictures/a.png", picture())
    s3.pipe_file("shop/pictures/large.png", bytes(6000))
    s3.pipe_file("shop/private/b.png", picture())
    return s3


@pytest.mark.usefixtures("bucket")
def test_pictures_of_s3_are_fetched_once(tmp_path: Path):
    limits = replace(LIMITS, stores=["s3://shop/pictures"])
    reasons = {
        "s3://shop/pictures/a.png": "",
        "s3://shop/private/b.png": "is in no store that may be read",
        "s3://shop/pictures/none.png": "is not in the store",
        "s3://shop/pictures/large.png": "is larger than 5000 bytes",
    }
    assert fetch_pictures(tmp_path, reasons, limits) == {"fetched": 1, "kept": 0, "failed": 3}
    assert fetch_pictures(tmp_path, reasons, limits) == {"fetched": 0, "kept": 1, "failed": 3}
    rows = {row["url"]: row for row in read_rows(tmp_path)}
    for url, reason in reasons.items():
        assert rows[url]["problem"].startswith(reason)
        assert bool(rows[url]["problem"]) is bool(reason)
    assert (tmp_path / rows["s3://shop/pictures/a.png"]["file"]).read_bytes() == picture()


@pytest.mark.usefixtures("bucket")
def test_s3_that_refuses_the_credentials_says_so(tmp_path: Path, strangers: Callable[[], None]):
    strangers()
    limits = replace(LIMITS, stores=["s3://shop/pictures"])
    assert fetch_pictures(tmp_path, ["s3://shop/pictures/a.png"], limits)["failed"] == 1
    problem = read_rows(tmp_path)[0]["problem"]
    assert problem == "may not be read with this machine's credentials"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("memory://shop/private/b.png", "is in no store that may be read"),
        ("memory://shop/pictures-of-others/c.png", "is in no store that may be read"),
        ("memory://shop/pictures/../private/b.png", "is in no store that may be read"),
        ("simplecache::memory://shop/pictures/a.png", "is in no store that may be read"),
        ("memory://shop/pictures/none.png", "is not in the store"),
        ("memory://shop/pictures/large.png", "is larger than 5000 bytes"),
        ("memory://shop/pictures/page.html", "is no picture"),
    ],
)
def test_what_is_not_fetched_has_its_reason(tmp_path: Path, url: str, problem: str):
    assert fetch_pictures(tmp_path, [url], LIMITS)["failed"] == 1
    (row,) = read_rows(tmp_path)
    assert row["problem"].startswith(problem)
    assert list(tmp_path.rglob("*.png")) == []


def test_a_store_of_an_unknown_kind_says_so(tmp_path: Path):
    limits = FetchLimits(delay_s=0, stores=["nosuch://shop"])
    assert fetch_pictures(tmp_path, ["nosuch://shop/a.png"], limits)["failed"] == 1
    assert "nosuch" in read_rows(tmp_path)[0]["problem"]


@pytest.mark.parametrize(
    "store", ["s3://", "file:///etc", "https://host/x", "/etc", "local://x", "pictures"]
)
def test_what_is_no_store_is_refused(store: str):
    with pytest.raises(ParamsError, match=f"--store {store}: expected a bucket"):
        check_stores(["s3://shop", store])


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("s3://bucket/a.jpg", True),
        ("GS://bucket/a.jpg", True),
        ("https://host/a.jpg", True),
        ("//host/a.jpg", True),
        ("data:image/png;base64,", True),
        ("file:///etc/passwd", False),
        ("c:/pictures/a.jpg", False),
        ("images/a.jpg", False),
    ],
)
def test_what_a_url_is(link: str, expected: bool):
    assert is_url(link) is expected
