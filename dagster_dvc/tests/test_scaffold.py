"""`dg` as its users start it: a project, a scaffolded component, and the definitions it holds."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from dagster_dvc.tests.support import RAW, run, write_pipeline

pytestmark = pytest.mark.whole

DEFINITIONS = """
from pathlib import Path
import dagster as dg

@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
PROJECT = """
[project]
name = "orch"
version = "0.1.0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "orch"
"""


@pytest.fixture
def project(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project of `dg`, in a folder of a DVC repository of one stage."""
    (empty / "raw.txt").write_text("1\n")
    stage = {"cmd": "cp raw.txt out.txt", "deps": ["raw.txt"], "outs": ["out.txt"]}
    write_pipeline(empty, {"stages": {"copy-it": stage}})
    folder = empty / "orch"
    (folder / "src" / "orch" / "defs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "src" / "orch" / "__init__.py").touch()
    (folder / "src" / "orch" / "defs" / "__init__.py").touch()
    (folder / "src" / "orch" / "definitions.py").write_text(DEFINITIONS)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "src"), before]))
    return folder


def dg(folder: Path, *arguments: str) -> str:
    return run(folder, str(Path(sys.executable).with_name("dg")), *arguments)


def test_component_is_scaffolded_and_listed(project: Path):
    dg(project, "scaffold", "defs", "dagster_dvc.DvcProjectComponent", "pipeline")
    file = project / "src" / "orch" / "defs" / "pipeline" / "defs.yaml"
    written = yaml.safe_load(file.read_text())
    assert written["type"] == "dagster_dvc.DvcProjectComponent"
    assert (file.parent / written["attributes"]["root"]).resolve() == project.parent
    listed = json.loads(dg(project, "list", "defs", "--json"))
    said = json.dumps(listed)
    assert '"copy-it"' in said
    assert f'"{RAW}"' in said


@pytest.mark.slow
def test_root_is_a_parameter_of_the_command_line(project: Path, tmp_path: Path):
    command = ["scaffold", "defs", "dagster_dvc.DvcProjectComponent", "other"]
    dg(project, *command, "--root", str(tmp_path))
    file = project / "src" / "orch" / "defs" / "other" / "defs.yaml"
    root = yaml.safe_load(file.read_text())["attributes"]["root"]
    assert (file.parent / root).resolve() == tmp_path


@pytest.mark.slow
def test_scaffolded_project_passes_the_checks_of_dg(project: Path):
    dg(project, "scaffold", "defs", "dagster_dvc.DvcProjectComponent", "pipeline")
    assert "All definitions loaded successfully" in dg(project, "check", "defs")


def test_slip_in_the_yaml_is_told_with_its_place(project: Path):
    file = project / "src" / "orch" / "defs" / "pipeline" / "defs.yaml"
    file.parent.mkdir()
    attributes = "attributes:\n  root: ../../../../..\n  selects: [a]\n"
    file.write_text(f"type: dagster_dvc.DvcProjectComponent\n{attributes}")
    with pytest.raises(AssertionError, match=r"(?s)defs\.yaml:4.*selects"):
        dg(project, "check", "yaml")
