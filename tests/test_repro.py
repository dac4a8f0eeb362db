"""`dvc repro` for real, in a git repository of its own: everything runs once, then nothing does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SMALL = {
    "ingest.demo": {"num_items": 150, "num_searches": 300},
    "ingest.images": {"height": 16, "width": 16, "max_pixels": 100_000},
    "synthesize.max_per_item": 5,
    "model.vocab_size": 400,
    "pretrain.steps": 3,
    "finetune.steps": 3,
    "pretrain.precision": "float32",
    "finetune.precision": "float32",
    "evaluate.examples": 4,
}


def run(root: Path, *command: str) -> str:
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone of the project's files with small parameters, committed."""
    for name in ("smar", ".dvc"):
        ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / ".gitignore").write_text("*\n")
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    for key, value in SMALL.items():
        section, _, name = key.partition(".")
        content[section][name] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    run(tmp_path, "git", "init", "-q")
    return tmp_path


def test_repro_runs_every_stage_once_and_then_nothing(repository: Path):
    first = run(repository, "dvc", "repro")
    stages = list(yaml.safe_load((repository / "dvc.yaml").read_text())["stages"])
    assert all(f"Running stage '{stage}'" in first for stage in stages)
    assert "Data and pipelines are up to date" in run(repository, "dvc", "repro")
    assert "up to date" in run(repository, "dvc", "status")
    assert "recall" in run(repository, "dvc", "metrics", "show", "--json")
    run(repository, "dvc", "plots", "show", "--out", "plots")
    assert (repository / "plots" / "index.html").is_file()
    module = repository / "smar" / "evaluation" / "slices.py"
    module.write_text(module.read_text() + "\n")
    changed = run(repository, "dvc", "status")
    assert "evaluate" in changed
    assert "finetune" not in changed
