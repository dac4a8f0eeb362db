"""Releases appear whole, are switched at once, and can be undone."""

import json
import threading
import time
from pathlib import Path

import pytest

from smar.artifacts import Manifest, verify_directory
from smar.cli import main
from smar.errors import ArtifactError, ReleaseError
from smar.service import registry


def make(root: Path, text: str = "x", expected: str | None = None) -> str:
    """Publish a release whose two files hold the same text."""

    def fill(folder: Path) -> None:
        (folder / "one.txt").write_text(text)
        (folder / "two.txt").write_text(text)

    before = registry.current_version(root) if expected is None else expected
    manifest = Manifest(kind=registry.KIND, details={"figures": {"recall": 0.5}, "identity": {}})
    manifest.counts = {"items": 3}
    return registry.publish(root, fill, manifest, expected=before)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with releases v1, v2 and v3."""
    (tmp_path / "params.yaml").touch()
    assert [make(tmp_path, text) for text in ("a", "b", "c")] == ["v1", "v2", "v3"]
    return tmp_path


def test_newest_release_is_current_and_knows_what_it_replaced(root: Path):
    assert registry.current_version(root) == "v3"
    assert registry.versions(root) == ["v1", "v2", "v3"]
    assert registry.read_release(root, "v3").details["previous"] == "v2"
    assert (root / "releases" / "current" / "one.txt").read_text() == "c"
    assert registry.find_release(root, "auto") == root / "releases" / "v3"
    assert registry.find_release(root, "none") is None


def test_rollback_goes_back_release_by_release(root: Path):
    assert registry.rollback(root).version == "v2"
    assert registry.rollback(root).version == "v1"
    with pytest.raises(ReleaseError, match="v1 is the oldest release"):
        registry.rollback(root)
    assert registry.rollback(root, "v3").previous == "v1"
    assert [switch.event for switch in registry.history(root)] == ["promote"] * 3 + ["rollback"] * 3


def test_release_after_a_rollback_gets_a_new_number_and_replaces_what_served(root: Path):
    registry.rollback(root, "v1")
    assert make(root, "d") == "v4"
    assert registry.read_release(root, "v4").details["previous"] == "v1"
    assert registry.rollback(root).version == "v1"


def test_number_of_a_removed_release_is_not_given_again(root: Path):
    registry.rollback(root)
    for file in (root / "releases" / "v3").iterdir():
        file.unlink()
    (root / "releases" / "v3").rmdir()
    assert make(root) == "v4"


def test_rollback_takes_less_than_a_second(root: Path):
    start = time.perf_counter()
    registry.rollback(root)
    assert time.perf_counter() - start < 1


def test_unknown_current_and_damaged_targets_are_refused_and_nothing_changes(root: Path):
    with pytest.raises(ReleaseError, match=r"no release 'v33'.*there are v1, v2, v3.*mean 'v3'"):
        registry.rollback(root, "v33")
    with pytest.raises(ReleaseError, match="v3 is the current release already"):
        registry.rollback(root, "v3")
    file = root / "releases" / "v2" / "one.txt"
    file.chmod(0o644)
    file.write_text("")
    with pytest.raises(ArtifactError, match=r"one\.txt is 0 bytes"):
        registry.rollback(root, "v2")
    assert registry.current_version(root) == "v3"


def test_candidate_judged_against_a_release_that_is_gone_is_refused(root: Path):
    with pytest.raises(ReleaseError, match="changed from 'v2' to 'v3' while"):
        make(root, expected="v2")
    assert registry.versions(root) == ["v1", "v2", "v3"]


def test_failed_writer_leaves_no_release(root: Path):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        registry.publish(root, fail, Manifest(kind=registry.KIND), expected="v3")
    assert registry.versions(root) == ["v1", "v2", "v3"]
    assert registry.current_version(root) == "v3"
    assert make(root) == "v4"


def test_complete_release_of_a_killed_writer_is_made_current_later(root: Path):
    link = root / "releases" / "current"
    link.unlink()
    link.symlink_to("v2")
    registry.finish_publishing(root, "v3", expected="v2")
    assert registry.current_version(root) == "v3"


def test_files_of_a_release_cannot_be_overwritten_by_mistake(root: Path):
    assert (root / "releases" / "v1" / "one.txt").stat().st_mode & 0o222 == 0


def test_link_to_a_release_that_is_gone_says_how_to_go_on(root: Path):
    link = root / "releases" / "current"
    link.unlink()
    link.symlink_to("v9")
    with pytest.raises(ReleaseError, match=r"points to 'v9'.*there are v1, v2, v3.*smar rollback"):
        registry.find_release(root, "auto")
    assert registry.rollback(root, "v2").previous == "v9"


def test_project_without_release_uses_the_working_tree_or_says_so(tmp_path: Path):
    assert registry.find_release(tmp_path, "auto") is None
    with pytest.raises(ReleaseError, match="no release is current"):
        registry.find_release(tmp_path, "current")
    with pytest.raises(ReleaseError, match="no release is current"):
        registry.rollback(tmp_path)


def test_readers_never_see_a_mixture_while_releases_are_switched(root: Path):
    stop = threading.Event()
    seen: list[set[str]] = []

    def read() -> None:
        while not stop.is_set():
            folder = registry.find_release(root, "current")
            assert folder is not None
            version = str(verify_directory(folder, registry.KIND).details["version"])
            texts = {(folder / name).read_text() for name in ("one.txt", "two.txt")}
            seen.append({version, *texts})

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(60):
        registry.rollback(root, ("v1", "v2", "v3")[number % 3])
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 3
    assert {frozenset(one) for one in seen} <= {
        frozenset(pair) for pair in (("v1", "a"), ("v2", "b"), ("v3", "c"))
    }


def test_commands_list_and_roll_back(root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["releases", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("*  v3")
    assert "recall 0.5000  items 3" in lines[1]
    assert main(["rollback", "--root", str(root)]) == 0
    assert capsys.readouterr().out == "v3 -> v2\n"
    assert main(["releases", "--json", "--root", str(root)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["version"] for row in rows if row["current"]] == ["v2"]


def test_damaged_release_is_listed_as_such(root: Path, capsys: pytest.CaptureFixture[str]):
    (root / "releases" / "v1" / "one.txt").unlink()
    assert main(["releases", "--root", str(root)]) == 0
    assert "v1       damaged" in capsys.readouterr().out


def test_project_without_releases_names_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "params.yaml").touch()
    assert main(["releases", "--root", str(tmp_path)]) == 0
    assert "No release yet: `dvc repro`" in capsys.readouterr().out
    assert main(["verify", "--root", str(tmp_path)]) == 2
    assert "no release to verify" in capsys.readouterr().err
