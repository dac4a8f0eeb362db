"""What DVC makes of kinds in dvc.yaml: the chosen one's file and parameters, and no others."""

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

ROOT = Path(__file__).parents[2]


def seen_by_dvc(folder: Path, stage: str) -> tuple[set[str], set[str]]:
    """Return the files and the parameters that a stage of a folder's dvc.yaml depends on."""
    deps = Repo(str(folder)).stage.load_one(str(folder / "dvc.yaml"), stage).deps
    files = {str(dep.def_path) for dep in deps if not hasattr(dep, "params")}
    return files, {name for dep in deps for name in getattr(dep, "params", ())}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    Repo.init(str(tmp_path), no_scm=True).close()
    return tmp_path


def choose(project: Path, section: str, key: str, kind: str) -> None:
    content = yaml.safe_load((project / "params.yaml").read_text())
    content[section][key] = kind
    (project / "params.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("section", "key", "kind", "folder", "stages"),
    [
        ("loss", "kind", "hinge", "smar/losses", ["pretrain", "finetune"]),
        ("model", "fusion", "moe", "smar/models/fusion", ["pretrain", "embed"]),
        ("gate", "kind", "category", "smar/models/gate", ["finetune", "embed"]),
        ("curriculum", "kind", "staged", "smar/train/curricula", ["pretrain"]),
    ],
)
def test_dvc_follows_the_chosen_kind(
    project: Path, section: str, key: str, kind: str, folder: str, stages: list[str]
):
    before = {stage: seen_by_dvc(project, stage) for stage in stages}
    choose(project, section, key, kind)
    for stage in stages:
        files, params = seen_by_dvc(project, stage)
        assert f"{folder}/{kind}.py" in files
        assert f"{folder}/{kind}.py" not in before[stage][0]
        assert len(files) == len(before[stage][0])
        own = "fusion" if section == "model" else section
        if stage != "embed" and (section != "model" or stage == "pretrain"):
            assert f"{own}.{kind}" in params
            assert f"{own}.{kind}" not in before[stage][1]


def test_pretraining_does_not_depend_on_any_gate(project: Path):
    files, params = seen_by_dvc(project, "pretrain")
    gates = {"never", "always", "benefit", "learned", "category", "per_item"}
    assert not {f"smar/models/gate/{gate}.py" for gate in gates} & files
    assert {name for name in params if name.startswith("gate")} == {"gate.visual_categories"}
