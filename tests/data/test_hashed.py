"""Files that need not be hashed again, and every way in which they need."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smar.data.hashed import YOUNG_NS, tell_hashed, unwritten


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    past = time.time_ns() - 2 * YOUNG_NS
    for name in ("a", "b"):
        (folder / name).write_bytes(b"12345678")
        os.utime(folder / name, ns=(past, past))
    tell_hashed(tmp_path / "record.json", folder.iterdir())
    return folder


def known(folder: Path) -> frozenset[str]:
    return unwritten(folder.parent / "record.json", folder)


def written(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"2")


def copied(file: Path) -> None:
    shutil.copy2(file, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def test_what_nobody_wrote_to_is_known_by_any_of_its_names(folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    os.link(folder / "a", other / "a")
    assert known(folder) == {"a", "b"}
    assert unwritten(tmp_path / "record.json", other) == {"a"}
    (other / "a").unlink()
    assert known(folder) == {"a", "b"}


@pytest.mark.parametrize("change", [written, copied, Path.touch, Path.unlink])
def test_what_may_be_another_file_is_not_known(folder: Path, change: Callable[[Path], None]):
    change(folder / "a")
    assert known(folder) == {"b"}


def test_a_file_changed_a_moment_ago_is_not_told(folder: Path):
    (folder / "a").touch()
    tell_hashed(folder.parent / "record.json", folder.iterdir())
    assert known(folder) == {"b"}


def test_nothing_told_is_nothing_known(tmp_path: Path):
    assert unwritten(tmp_path / "none.json", tmp_path) == frozenset()
