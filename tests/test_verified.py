"""Files that need not be hashed again, and every way in which they need."""

import mmap
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from smar import verified
from smar.artifacts import Manifest, read_manifest, write_directory
from smar.errors import ArtifactError
from smar.verified import YOUNG_NS, Verified, tell_hashed, unwritten

LONG_AGO_NS = 1_600_000_000_000_000_000


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory artefact whose files have lain there for some time."""
    monkeypatch.setattr(verified, "YOUNG_NS", 0)
    with write_directory(tmp_path / "index", Manifest(kind="index")) as folder:
        (folder / "words").mkdir()
        for name in ("vectors", "words/starts"):
            (folder / name).write_bytes(b"0123456789" * 100)
    time.sleep(0.02)  # of which the file system tells the time in steps
    return tmp_path / "index"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files that were hashed since."""
    names: list[str] = []
    digest = verified.verify_directory.__globals__["digest"]

    def told(path: Path) -> str:
        names.append(path.name)
        return str(digest(path))

    monkeypatch.setitem(verified.verify_directory.__globals__, "digest", told)
    return names


def test_files_are_hashed_once(made: Path, tmp_path: Path, read: list[str]):
    first = Verified(tmp_path / "verified").verify(made, "index")
    assert sorted(read) == ["starts", "vectors"]
    assert Verified(tmp_path / "verified").verify(made, "index") == first
    assert len(read) == 2


def test_files_of_who_wrote_them_are_not_hashed_again_until_they_change(
    made: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
):
    known = Verified(tmp_path / "verified")
    known.tell(made, read_manifest(made, "index"))
    known.verify(made, "index")
    assert read == []
    flipped(made / "vectors")
    with pytest.raises(ArtifactError, match="vectors"):
        known.verify(made, "index")
    monkeypatch.setattr(verified, "YOUNG_NS", 10**12)  # all were written just now
    read.clear()
    known.tell(made, read_manifest(made, "index"))
    with pytest.raises(ArtifactError, match="vectors"):
        known.verify(made, "index")
    assert sorted(read) == ["starts", "vectors"]


def flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"X")


def mapped(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[5] = 0
        memory.flush()


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"X" + path.read_bytes()[1:])
    shutil.copystat(path, other)
    other.replace(path)


def linked(path: Path) -> None:
    other = path.parent.parent / "elsewhere"
    other.write_bytes(b"X" + path.read_bytes()[1:])
    path.unlink()
    path.symlink_to(other)


def times_set_back(path: Path) -> None:
    told = path.stat()
    flipped(path)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


@pytest.mark.parametrize("change", [flipped, mapped, replaced, linked, times_set_back])
def test_whatever_is_done_to_a_file_it_is_hashed_again(
    made: Path, tmp_path: Path, change: Callable[[Path], None]
):
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    change(made / "vectors")
    with pytest.raises(ArtifactError, match="the content of vectors is not what was written"):
        known.verify(made, "index")
    with pytest.raises(ArtifactError, match="vectors"):  # nor is it believed the next time
        known.verify(made, "index")


def test_one_file_that_changed_is_hashed_alone(made: Path, tmp_path: Path, read: list[str]):
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    read.clear()
    (made / "vectors").touch()
    known.verify(made, "index")
    assert read == ["vectors"]
    known.verify(made, "index")
    assert read == ["vectors"]


def test_file_that_changed_just_now_is_not_believed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
):
    monkeypatch.setattr(verified, "YOUNG_NS", 10**12)
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    known.verify(made, "index")
    assert len(read) == 4


def test_what_changes_while_it_is_hashed_is_not_believed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known = Verified(tmp_path / "verified")
    verify = verified.verify_directory

    def slow(path: Path, kind: str, *, unchanged: set[str]) -> Manifest:
        manifest = verify(path, kind, unchanged=unchanged)
        times_set_back(path / "vectors")
        return manifest

    with monkeypatch.context() as patch:
        patch.setattr(verified, "verify_directory", slow)
        known.verify(made, "index")
    with pytest.raises(ArtifactError, match="vectors"):
        known.verify(made, "index")


def test_another_manifest_has_all_files_hashed(made: Path, tmp_path: Path):
    """The same files under a manifest that says other hashes."""
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    (made / "manifest.json").unlink()
    manifest = Manifest(kind="index")
    manifest.files = {
        "vectors": {"bytes": 1000, "sha256": "0" * 64},
        "words/starts": {"bytes": 1000, "sha256": "1" * 64},
    }
    verified.verify_directory.__globals__["write_manifest"](made, manifest)
    with pytest.raises(ArtifactError, match="vectors, words/starts"):
        known.verify(made, "index")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"vectors": 3}', b"\xff"])
def test_what_is_known_that_cannot_be_read_are_made_again(
    made: Path, tmp_path: Path, content: bytes, read: list[str]
):
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    for path in (tmp_path / "verified").glob("*.json"):
        path.write_bytes(content)
    known.verify(made, "index")
    assert len(read) == 4
    known.verify(made, "index")
    assert len(read) == 4


def test_without_a_folder_every_file_is_hashed(made: Path, tmp_path: Path, read: list[str]):
    (tmp_path / "verified").write_text("no folder")
    known = Verified(tmp_path / "verified")
    known.verify(made, "index")
    known.verify(made, "index")
    assert len(read) == 4


def test_of_several_that_open_a_directory_one_hashes(made: Path, tmp_path: Path, read: list[str]):
    known = [Verified(tmp_path / "verified") for _ in range(4)]
    threads = [Thread(target=one.verify, args=(made, "index")) for one in known]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read) == ["starts", "vectors"]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    past = time.time_ns() - 2 * YOUNG_NS
    for name in ("a", "b"):
        (folder / name).write_bytes(b"12345678")
        os.utime(folder / name, ns=(past, past))
    tell_hashed(tmp_path / "record.json", folder.iterdir())
    return folder


def unwritten_in(shards: Path) -> frozenset[str]:
    return unwritten(shards.parent / "record.json", shards)


def written(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"2")


def copied(file: Path) -> None:
    shutil.copy2(file, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def test_what_nobody_wrote_to_is_known_by_any_of_its_names(shards: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    os.link(shards / "a", other / "a")
    assert unwritten_in(shards) == {"a", "b"}
    assert unwritten(tmp_path / "record.json", other) == {"a"}
    (other / "a").unlink()
    assert unwritten_in(shards) == {"a", "b"}


@pytest.mark.parametrize("change", [written, copied, Path.touch, Path.unlink])
def test_what_may_be_another_file_is_not_known(shards: Path, change: Callable[[Path], None]):
    change(shards / "a")
    assert unwritten_in(shards) == {"b"}


def test_a_file_changed_a_moment_ago_is_not_told(shards: Path):
    (shards / "a").touch()
    tell_hashed(shards.parent / "record.json", shards.iterdir())
    assert unwritten_in(shards) == {"b"}


def test_nothing_told_is_nothing_known(tmp_path: Path):
    assert unwritten(tmp_path / "none.json", tmp_path) == frozenset()
