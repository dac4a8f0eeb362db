"""Files and directories change places whole, whatever dies at whatever moment."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from smar import replace
from smar.artifacts import Manifest, digest, read_manifest, verify_directory, write_directory
from smar.errors import ArtifactError
from smar.replace import link_or_copy, write_file


def write(path: Path, text: str = "one") -> None:
    with write_directory(path, Manifest(kind="thing")) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=[True, False], ids=["exchanged", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways of changing places: in one step, and where the file system cannot do that."""
    if not request.param:
        monkeypatch.setattr(replace, "_exchange", lambda one, other: False)
    return bool(request.param)


def test_file_gets_a_further_name_not_a_link_to_its_link(tmp_path: Path):
    file, symbolic, place = tmp_path / "file", tmp_path / "symbolic", tmp_path / "place"
    file.write_text("one")
    symbolic.symlink_to(file)
    link_or_copy(symbolic, place)
    assert place.samefile(file)
    assert not place.is_symlink()


def test_file_is_copied_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refused)
    file, place = tmp_path / "file", tmp_path / "place"
    file.write_text("one")
    link_or_copy(file, place)
    file.write_text("two")
    assert place.read_text() == "one"


def test_a_pipe_gets_the_content_and_stays(tmp_path: Path):
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with write_file(pipe) as temporary:
        temporary.write_text("a page")
    reader.join(10)
    assert got == [b"a page"]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", ["link", "/dev/fd"])
def test_a_stream_that_was_redirected_to_a_file_is_written_to(tmp_path: Path, name: str):
    """As `--html /dev/stdout > page.html` does; to replace the link would break the machine's."""
    with (tmp_path / "page.html").open("wb") as redirected:
        stream = Path(f"/proc/self/fd/{redirected.fileno()}")
        link = tmp_path / "link" if name == "link" else Path(name) / stream.name
        if name == "link":
            link.symlink_to(stream)
        with write_file(link) as temporary:
            temporary.write_text("a page")
        assert link.is_symlink()
    assert (tmp_path / "page.html").read_text() == "a page"


def test_a_link_to_a_file_is_replaced_and_what_it_led_to_is_not(tmp_path: Path):
    """DVC's cache may be linked to: nothing is written into it."""
    (tmp_path / "cached").write_text("cached")
    (tmp_path / "out").symlink_to("cached")
    with write_file(tmp_path / "out") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "out").read_text() == "new"
    assert (tmp_path / "cached").read_text() == "cached"


@pytest.mark.usefixtures("way")
def test_directory_that_appears_is_the_one_that_was_written_and_no_copy(tmp_path: Path):
    path = tmp_path / "out"
    for _ in ("the first", "the next"):
        with write_directory(path, Manifest(kind="thing")) as folder:
            (folder / "b.txt").touch()
            written = folder.stat().st_ino, (folder / "b.txt").stat().st_ino
        assert (path.stat().st_ino, (path / "b.txt").stat().st_ino) == written
    assert names(tmp_path) == ["out"]
    assert names(path) == ["b.txt", "manifest.json"]


def test_files_that_have_their_mode_are_not_touched_and_others_get_it(tmp_path: Path):
    usual, closed = tmp_path / "usual", tmp_path / "closed"
    for file in (usual, closed):
        file.write_text("one")
    closed.chmod(0o600)
    before = usual.stat().st_ctime_ns
    with replace.replacement(tmp_path / "folder") as folder:
        for file in (usual, closed):
            shutil.move(file, folder / file.name)
        moved = (folder / "usual").stat().st_ctime_ns  # moving is a change itself
        time.sleep(0.02)
    now = {path.name: path.stat() for path in (tmp_path / "folder").iterdir()}
    assert now["usual"].st_ctime_ns == moved >= before
    assert now["closed"].st_ctime_ns > moved
    assert now["closed"].st_mode == now["usual"].st_mode


def test_places_change_in_one_step_on_this_disk(tmp_path: Path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert replace._exchange(tmp_path / "one", tmp_path / "other")
    assert names(tmp_path / "one") == ["other"]
    assert not replace._exchange(tmp_path / "one", tmp_path / "missing")


@pytest.mark.usefixtures("way")
def test_all_is_on_the_disk_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every file and directory is flushed under its temporary name, then the parent's entry."""
    path = tmp_path / "out"
    write(path)
    flushed: list[str] = []
    own = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        own(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path, "two")
    temporary = str(tmp_path / f".out.tmp-{os.getpid()}")
    parts = {"", "/part", "/part/a.txt", "/manifest.json"}
    assert {name.removeprefix(temporary) for name in flushed if name.startswith(temporary)} >= parts
    assert flushed[-1] == str(tmp_path)
    flushed.clear()
    with write_file(tmp_path / "a.json") as file:
        file.write_text("x")
    assert flushed == [str(file), str(tmp_path)]


KILLED_BETWEEN = (
    "import os, signal, sys; from pathlib import Path; from smar import replace\n"
    "from smar.artifacts import Manifest, write_directory\n"
    "own = Path.rename\n"
    "def rename(self, target):\n"
    "    if '.tmp-' in self.name: os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return own(self, target)\n"
    "Path.rename = rename\n"
    "replace._exchange = lambda one, other: False\n"
    "with write_directory(Path(sys.argv[1]), Manifest(kind='thing')) as folder:\n"
    "    (folder / 'new.txt').touch()\n"
)


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A directory whose second writer was killed between its two renames."""
    path = tmp_path / "out"
    write(path)
    done = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    return path


@pytest.mark.parametrize("read", [digest, lambda path: read_manifest(path, "thing")])
def test_reader_finds_what_a_kill_between_two_renames_set_aside(killed: Path, read):
    read(killed)
    verify_directory(killed, "thing")
    write(killed, "three")
    assert names(killed.parent) == ["out"]


def test_what_a_living_writer_set_aside_is_its_own(tmp_path: Path):
    path = tmp_path / "out"
    write(path)
    backup = tmp_path / ".out.old-1"
    path.rename(backup)
    with replace._held(backup), pytest.raises(ArtifactError, match="no manifest"):
        read_manifest(path, "thing")
    read_manifest(path, "thing")


def test_temporary_directory_of_a_living_writer_is_left_to_it(tmp_path: Path):
    path = tmp_path / "out"
    inside, done = threading.Event(), threading.Event()

    def slow() -> None:
        with write_directory(path, Manifest(kind="thing")) as folder:
            # What another machine wrote has a process number that means nothing here.
            foreign = folder.with_name(".out.tmp-999999999")
            folder.rename(foreign)
            inside.set()
            done.wait(10)
            foreign.rename(folder)

    writer = threading.Thread(target=slow)
    writer.start()
    inside.wait(10)
    replace._sweep(path)
    assert names(tmp_path) == [".out.tmp-999999999"]
    done.set()
    writer.join()
    assert names(tmp_path) == ["out"]


def test_leftovers_of_the_dead_are_swept_and_nothing_else(tmp_path: Path):
    dead = [".out.tmp-999999999", ".out.old-999999999", ".out.old"]
    others = [".other.tmp-999999999", ".out.txt", "out.old"]
    for name in (*dead, *others):
        (tmp_path / name).mkdir()
    stale, fresh = tmp_path / ".a.json.tmp-999999999", tmp_path / ".a.json.tmp-999999998"
    for file in (stale, fresh):
        file.touch()
    os.utime(stale, (0, 0))
    write(tmp_path / "out")
    with write_file(tmp_path / "a.json") as file:
        file.touch()
    assert names(tmp_path) == sorted([*others, "out", "a.json", fresh.name])
