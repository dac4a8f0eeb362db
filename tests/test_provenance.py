"""Where outputs come from is kept beside them, and follows their content."""

from pathlib import Path

import pytest

from smar.artifacts import Manifest, digest, write_directory
from smar.provenance import origin, provenance, record
from tests.test_repro import run


def write(path: Path, text: str) -> Path:
    with write_directory(path, Manifest(kind="thing")) as folder:
        (folder / "a.txt").write_text(text)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit."""
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "First"]):
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        run(tmp_path, "git", *who, *command)
    return tmp_path


def test_output_holds_nothing_of_where_it_was_made(project: Path, tmp_path: Path):
    first = digest(write(project / "one", "a"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert digest(write(elsewhere / "two", "a")) == first
    assert origin(project)["git_commit"]
    assert origin(project)["git_commit"] not in (project / "one" / "manifest.json").read_text()


def test_provenance_follows_the_content(project: Path):
    out = write(project / "out", "a")
    record(project, "make", ["out", "missing"], {"seconds": 2.0})
    known = provenance(project, out)
    assert known["git_commit"] == origin(project)["git_commit"]
    assert (known["stage"], known["output"], known["times"]) == ("make", "out", {"seconds": 2.0})
    assert {"python", "processor", "torch", "numpy"} <= set(known["versions"])
    write(out, "b")
    assert provenance(project, out) == {}
    write(out, "a")  # as a checkout brings it back
    assert provenance(project, out) == known


def test_origin_is_told_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert origin(tmp_path)["git_commit"] == ""
