"""Artefacts appear whole or not at all, and damage is noticed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from smar.artifacts import (
    Manifest,
    copy_directory,
    digest,
    read_manifest,
    verify_directory,
    write_directory,
    write_json,
)
from smar.errors import ArtifactError
from smar.replace import write_file


def write(path: Path, text: str = "one") -> None:
    with write_directory(path, Manifest(kind="thing", counts={"rows": 1})) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text(text)


def fail_half_way(path: Path) -> None:
    with write_directory(path, Manifest(kind="thing")) as folder:
        (folder / "half.txt").touch()
        raise RuntimeError


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_directory_replaces_the_old_one_whole(tmp_path: Path):
    write(tmp_path / "out")
    (tmp_path / "out" / "stale.txt").touch()
    write(tmp_path / "out", "two")
    assert (tmp_path / "out" / "part" / "a.txt").read_text() == "two"
    assert not (tmp_path / "out" / "stale.txt").exists()
    assert names(tmp_path) == ["out"]


def test_failure_leaves_the_old_directory_as_it_was(tmp_path: Path):
    write(tmp_path / "out")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "out")
    assert verify_directory(tmp_path / "out", "thing").counts == {"rows": 1}
    assert names(tmp_path) == ["out"]


def test_killed_writer_leaves_the_old_directory_and_the_next_one_cleans_up(tmp_path: Path):
    write(tmp_path / "out")
    code = (
        "import sys, time; from pathlib import Path; from smar.artifacts import *\n"
        "with write_directory(Path(sys.argv[1]), Manifest(kind='thing')) as folder:\n"
        "    (folder / 'half.txt').touch(); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    verify_directory(tmp_path / "out", "thing")
    time.sleep(0.05)
    write(tmp_path / "out", "two")
    assert names(tmp_path) == ["out"]


def test_directory_caught_between_its_two_renames_comes_back(tmp_path: Path):
    write(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / ".out.old")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "out")
    verify_directory(tmp_path / "out", "thing")


def test_manifest_names_files_and_kind(tmp_path: Path):
    write(tmp_path / "out")
    manifest = read_manifest(tmp_path / "out", "thing")
    assert manifest.files["part/a.txt"]["bytes"] == 3
    assert digest(tmp_path / "out") == digest(tmp_path / "out" / "manifest.json")


def test_same_content_gives_the_same_manifest(tmp_path: Path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_other_kind_missing_and_newer_directories_are_refused(tmp_path: Path):
    with pytest.raises(ArtifactError, match="no manifest"):
        read_manifest(tmp_path / "out", "thing")
    write(tmp_path / "out")
    with pytest.raises(ArtifactError, match="holds 'thing', expected 'model'"):
        read_manifest(tmp_path / "out", "model")
    file = tmp_path / "out" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))
    with pytest.raises(ArtifactError, match="written in format 99"):
        read_manifest(tmp_path / "out", "thing")
    file.write_text("{")
    with pytest.raises(ArtifactError, match="not a manifest"):
        read_manifest(tmp_path / "out", "thing")


def test_missing_and_truncated_files_are_named(tmp_path: Path):
    write(tmp_path / "out")
    (tmp_path / "out" / "part" / "a.txt").write_text("on")
    with pytest.raises(ArtifactError, match=r"part/a\.txt is 2 bytes, expected 3 bytes"):
        read_manifest(tmp_path / "out", "thing")
    (tmp_path / "out" / "part" / "a.txt").unlink()
    with pytest.raises(ArtifactError, match=r"part/a\.txt is missing"):
        read_manifest(tmp_path / "out", "thing")


def test_flipped_bit_is_found_by_verifying(tmp_path: Path):
    write(tmp_path / "out")
    (tmp_path / "out" / "part" / "a.txt").write_text("onf")
    read_manifest(tmp_path / "out", "thing")
    with pytest.raises(ArtifactError, match=r"the content of part/a\.txt is not what was written"):
        verify_directory(tmp_path / "out", "thing")


def write_half(path: Path) -> None:
    with write_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_file_is_replaced_whole_or_not_at_all(tmp_path: Path):
    target = tmp_path / "a.json"
    write_json(target, {"x": 1})
    with pytest.raises(RuntimeError):
        write_half(target)
    assert json.loads(target.read_text()) == {"x": 1}
    assert names(tmp_path) == ["a.json"]


def test_nan_is_no_json(tmp_path: Path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    paths = (folder, *folder.rglob("*"))
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in paths}


def test_what_comes_from_a_temporary_directory_is_as_open_as_the_umask_says(
    tmp_path: Path, umask: int
):
    with TemporaryDirectory() as name:  # closed to everyone else
        private = Path(name)
        (private / "secret.txt").touch(0o600)
        (private / "fixed.txt").touch(0o400)
        copy_directory(private, tmp_path / "copy")
        with write_directory(tmp_path / "out", Manifest(kind="thing")) as folder:
            shutil.copytree(private, folder / "part")
    expected = {".": 0o777, "secret.txt": 0o666, "fixed.txt": 0o444}
    assert modes(tmp_path / "copy") == {name: mode & ~umask for name, mode in expected.items()}
    out = modes(tmp_path / "out")
    assert out["part"] == out["."] == 0o777 & ~umask
    assert out["part/secret.txt"] == out["manifest.json"] == 0o666 & ~umask
    assert out["part/fixed.txt"] == 0o444 & ~umask


def test_file_that_has_its_mode_is_not_touched_after_it_was_hashed(tmp_path: Path):
    with write_directory(tmp_path / "out", Manifest(kind="test")) as folder:
        (folder / "part").write_text("a")
        os.utime(folder / "part", ns=(10**18, 10**18))
        written = (folder / "part").stat()
        time.sleep(0.02)  # of which the file system tells the time in steps
    assert (tmp_path / "out" / "part").stat().st_ctime_ns == written.st_ctime_ns


def test_name_with_brackets_is_swept_like_any_other(tmp_path: Path):
    leftover = tmp_path / ".out [1].tmp-999999999"
    leftover.mkdir()
    write(tmp_path / "out [1]")
    assert names(tmp_path) == ["out [1]"]
