"""Declarations: an order in which stages can run, digests of what is read, light to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from smar.artifacts import Manifest, digest, write_directory
from smar.declaration import Stage, in_order
from smar.errors import ArtifactError
from smar.stages import declared


def stage(reads: list[str], writes: list[str]) -> Stage:
    return Stage(summary="", reads=reads, writes=writes)


def test_stages_come_after_those_that_write_what_they_read():
    stages = {"b": stage(["x"], ["y"]), "c": stage([], ["x"]), "a": stage(["y"], ["z"])}
    assert list(in_order(stages)) == ["c", "b", "a"]
    free = {"b": stage([], ["x"]), "a": stage([], ["y"])}
    assert list(in_order(free)) == ["a", "b"]


def test_stages_in_a_circle_are_named():
    stages = {"a": stage(["y"], ["x"]), "b": stage(["x"], ["y"]), "c": stage([], ["z"])}
    with pytest.raises(ValueError, match="stages a, b read what each other write"):
        in_order(stages)


def test_a_stage_may_read_what_it_left_before():
    assert list(in_order({"a": stage(["x"], ["x"])})) == ["a"]


def test_digests_are_of_exactly_what_is_read(tmp_path: Path):
    (tmp_path / "table").write_text("rows")
    (tmp_path / "other").write_text("rows")
    with write_directory(tmp_path / "store", Manifest(kind="store")):
        pass
    found = stage(["table", "store"], ["other"]).digests(tmp_path)
    assert found == {name: digest(tmp_path / name) for name in ("table", "store")}
    with pytest.raises(ArtifactError, match="lost: not found, though a later step reads it"):
        stage(["lost"], []).digests(tmp_path)


def test_declarations_are_read_without_heavy_libraries():
    code = (
        "import sys\nfrom smar.stages import declared\nassert declared()\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'yaml', 'transformers', 'faiss'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_stage_says_what_comes_out():
    for name, found in declared().items():
        assert found.summary.endswith("."), name
        assert found.writes, name
