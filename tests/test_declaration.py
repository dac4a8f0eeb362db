"""Declarations: an order in which stages can run, digests of what is read, light to import."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from smar.artifacts import Manifest, digest, write_directory
from smar.checks import Check, Checked
from smar.declaration import Stage, in_order
from smar.errors import ArtifactError, CheckError
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


CHECKS = {"first": Check(text=""), "last": Check(text="", blocking=False)}
CHECKED = Stage(summary="", checks=CHECKS)


def checked(name: str, *, passed: bool = True) -> Checked:
    return Checked(name=name, passed=passed, text=f"seen by {name}", figures={"rows": 3})


def test_outcomes_stand_beside_the_figures(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    found = [checked("first"), checked("last", passed=False)]
    with caplog.at_level(logging.WARNING):
        content = CHECKED.with_checks(tmp_path / "m.json", {"items": 5}, found)
    assert content["items"] == 5
    assert [(c["name"], c["passed"], c["blocking"]) for c in content["checks"]] == [
        ("first", True, True),
        ("last", False, False),
    ]
    assert caplog.messages == ["last: seen by last"]
    assert not (tmp_path / "m.json").exists()


def test_failed_blocking_check_stops_with_its_outcome_on_disk(tmp_path: Path):
    file = tmp_path / "m.json"
    with pytest.raises(CheckError, match="1 of 1 checks stop the stage"):
        CHECKED.with_checks(file, {"items": 5}, [checked("first", passed=False)])
    assert json.loads(file.read_text())["checks"][0]["figures"] == {"rows": 3}


@pytest.mark.parametrize("names", [["first"], ["first", "last", "x"], ["first", "first"]])
def test_check_that_is_missing_or_undeclared_is_refused(tmp_path: Path, names: list[str]):
    with pytest.raises(ValueError, match="declared: first, last"):
        CHECKED.with_checks(tmp_path / "m.json", {}, [checked(name) for name in names])


def test_what_people_compare_lies_by_itself_and_the_rest_in_the_outcome(tmp_path: Path):
    stage = Stage(
        summary="",
        writes=["data/x", "reports/outcomes/made.json", "metrics/made.json"],
        compared=["items", "sets", "share"],
    )
    outcome = {"items": 5, "seconds": 1.5, "sets": {"test": {"recall@50": 0.5}}, "checks": []}
    for folder in ("reports/outcomes", "metrics"):
        (tmp_path / folder).mkdir(parents=True)
    stage.write_outcome(tmp_path, outcome)
    assert json.loads((tmp_path / "reports/outcomes/made.json").read_text()) == outcome
    compared = json.loads((tmp_path / "metrics/made.json").read_text())
    assert compared == {"items": 5, "test": {"recall@50": 0.5}}
