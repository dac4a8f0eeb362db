"""A pulled release joins those of this disk, and numbers are never given twice."""

import shutil
import subprocess
from pathlib import Path

import pytest

from smar.artifacts import Manifest, verify_directory
from smar.errors import ArtifactError, ReleaseError
from smar.paths import Paths
from smar.service import registry
from smar.service.pulled import adopt


def make(root: Path, text: str) -> str:
    """Publish a release that holds a text."""

    def fill(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "one.txt").write_text(text)

    manifest = Manifest(kind=registry.KIND, details={"figures": {}})
    return registry.publish(root, fill, manifest, expected=registry.current_version(root))


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones: the first has v1 and v2, the second pulled v2."""
    first, second = tmp_path / "first", tmp_path / "second"
    for text in "ab":
        make(first, text)
    shutil.copytree(first / "releases" / "v2", Paths(second).release)
    return first, second


def test_pulled_release_becomes_current_and_the_next_number_follows_it(clones: tuple[Path, Path]):
    _, second = clones
    assert adopt(second) == "v2"
    assert registry.current_version(second) == "v2"
    verify_directory(second / "releases" / "v2", registry.KIND)
    assert (second / "releases/v2/model/one.txt").stat().st_mode & 0o222 == 0
    assert adopt(second) == ""
    assert make(second, "c") == "v3"
    assert registry.read_release(second, "v3").details["previous"] == "v2"


def test_number_of_a_pulled_release_is_not_given_though_it_was_not_adopted(
    clones: tuple[Path, Path],
):
    assert make(clones[1], "c") == "v3"


def test_older_pulled_release_joins_and_does_not_become_current(clones: tuple[Path, Path]):
    first, second = clones
    adopt(second)
    make(second, "c")
    shutil.rmtree(Paths(second).release)
    shutil.copytree(first / "releases" / "v1", Paths(second).release)
    assert adopt(second) == "v1"
    assert registry.current_version(second) == "v3"
    assert registry.rollback(second, "v1").previous == "v3"


def test_two_releases_of_one_number_are_refused(clones: tuple[Path, Path]):
    _, second = clones
    make(second, "x")  # v3 of the second clone
    third = make(clones[0], "y")
    shutil.rmtree(Paths(second).release)
    shutil.copytree(clones[0] / "releases" / third, Paths(second).release)
    with pytest.raises(ReleaseError, match=r"two releases of one number.*Move yours away"):
        adopt(second)
    assert registry.current_version(second) == "v3"


def test_damaged_pulled_release_stops_only_where_there_is_no_other(clones: tuple[Path, Path]):
    first, second = clones
    (Paths(second).release / "model" / "one.txt").unlink()
    with pytest.raises(ArtifactError, match=r"one\.txt is missing"):
        adopt(second)
    shutil.copytree(Paths(second).release, Paths(first).release)
    assert adopt(first) == ""


def test_tagged_numbers_are_not_given_again(tmp_path: Path):
    git = ("git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x")
    for arguments in (("init", "-q"), ("commit", "-qm", "x", "--allow-empty")):
        subprocess.run([*git, *arguments], check=True)
    for tag in ("smar@v9", "smar@v10", "smar@v10.0.0", "smar@vx", "v77"):
        subprocess.run([*git, "tag", tag], check=True)
    assert registry.tagged_versions(tmp_path) == ["v9", "v10"]
    assert make(tmp_path, "a") == "v11"
