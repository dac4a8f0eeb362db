"""DVC for real, in a git repository of its own: what runs again, and what a clone can pull."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.whole

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
    "pretrain.items_per_step": 32,
    "finetune.items_per_step": 32,
    "evaluate.bootstrap": 200,
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


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the project's files with small parameters, after `dvc repro`, committed."""
    root = tmp_path_factory.mktemp("repository")
    for name in ("smar", "backbones", ".dvc"):
        ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml", "Makefile"):
        shutil.copy(ROOT / name, root)
    (root / "data" / "raw").mkdir(parents=True)
    shutil.copy(ROOT / "data" / ".gitignore", root / "data")
    (root / "data" / "raw" / ".gitignore").write_text("*\n!.gitignore\n")
    content = yaml.safe_load((root / "params.yaml").read_text())
    for key, value in SMALL.items():
        section, _, name = key.partition(".")
        content[section][name] = value
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    run(root, "git", "init", "-q")
    run(root, "git", "config", "user.name", "Test")
    run(root, "git", "config", "user.email", "test@example.org")
    (root / "repro.log").write_text(run(root, "dvc", "repro"))
    commit(root, "First release")
    return root


def commit(root: Path, message: str) -> None:
    run(root, "git", "add", "-A", "--", ".", ":!repro.log")
    run(root, "git", "commit", "-q", "-m", message)


@pytest.fixture
def repository(reproduced: Path, tmp_path: Path) -> Path:
    """The repository, to be changed."""
    return Path(shutil.copytree(reproduced, tmp_path / "repository", symlinks=True))


def test_repro_runs_every_stage_once_and_then_nothing(repository: Path):
    first = (repository / "repro.log").read_text()
    stages = list(yaml.safe_load((repository / "dvc.yaml").read_text())["stages"])
    assert all(f"Running stage '{stage}'" in first for stage in stages)
    assert "Data and pipelines are up to date" in run(repository, "dvc", "repro")
    assert "up to date" in run(repository, "dvc", "status")


@pytest.mark.slow
def test_second_machine_that_makes_everything_anew_changes_no_tracked_file(
    repository: Path, tmp_path: Path
):
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    run(clone, "git", "config", "user.name", "Other")
    run(clone, "git", "config", "user.email", "other@example.org")
    run(clone, "git", "commit", "-q", "--allow-empty", "-m", "Nothing changed")
    out = run(clone, "dvc", "repro")
    stages = list(yaml.safe_load((clone / "dvc.yaml").read_text())["stages"])
    assert all(f"Running stage '{stage}'" in out for stage in stages)
    assert run(clone, "git", "status", "--porcelain") == ""
    # Yet each release says where it was made.
    made = [json.loads((r / "releases/v1/manifest.json").read_text()) for r in (repository, clone)]
    head = run(clone, "git", "rev-parse", "HEAD").strip()
    assert made[1]["git_commit"] == head
    assert made[1]["git_commit"] != made[0]["git_commit"]
    model = made[1]["details"]["provenance"]["models/retriever"]
    assert model["git_commit"] == head
    assert model["times"]["seconds"] > 0
    assert model["versions"]["torch"]


def test_commit_alone_makes_nothing_stale(repository: Path):
    locked = (repository / "dvc.lock").read_text()
    run(repository, "git", "commit", "-q", "--allow-empty", "-m", "Nothing changed")
    assert "up to date" in run(repository, "dvc", "status")
    run(repository, "dvc", "repro", "--single-item", "--force", "--no-run-cache", "ingest")
    assert (repository / "dvc.lock").read_text() == locked
    assert "up to date" in run(repository, "dvc", "status")
    assert run(repository, "git", "status", "--porcelain", "--untracked-files=no") == ""


def test_metrics_and_plots_can_be_shown(repository: Path):
    assert "recall" in run(repository, "dvc", "metrics", "show", "--json")
    run(repository, "dvc", "plots", "show", "--out", "plots")
    page = (repository / "plots" / "index.html").read_text()
    assert page.count("vegaEmbed('#") == 5
    assert 'src="http' not in page, "the page needs a network"


def test_changed_module_reaches_the_stages_that_import_it(repository: Path):
    module = repository / "smar" / "judging" / "slices.py"
    module.write_text(module.read_text() + "\n")
    changed = run(repository, "dvc", "status")
    assert "evaluate" in changed
    assert "finetune" not in changed


def test_releases_are_left_alone_by_git_checkouts_and_repeated_stages(repository: Path):
    before = (repository / "releases" / "v1" / "manifest.json").read_bytes()
    assert "releases" not in run(repository, "git", "status", "--porcelain")
    run(repository, "dvc", "repro", "--single-item", "--force", "promote")
    shutil.rmtree(repository / "models" / "release")
    run(repository, "dvc", "checkout")
    assert (repository / "models" / "release" / "model").is_dir()
    assert (repository / "releases" / "v1" / "manifest.json").read_bytes() == before
    assert (repository / "releases" / "current").readlink() == Path("v1")
    assert "up to date" in run(repository, "dvc", "status")


def test_second_clone_pulls_the_release_and_answers_without_training(
    repository: Path, tmp_path: Path
):
    remote, clone, elsewhere = tmp_path / "remote", tmp_path / "clone", tmp_path / "elsewhere"
    run(repository, "dvc", "remote", "add", "-q", "--default", "store", str(remote))
    commit(repository, "Remote")
    run(repository, "make", "tag")
    run(repository, "dvc", "push")
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    run(clone, "dvc", "pull", "promote")
    assert not (clone / "data" / "items.parquet").exists()
    smar = (sys.executable, "-m", "smar")
    query = ("search", "red dress", "-k", "3", "--json")
    expected = json.loads(run(repository, *smar, *query))["hits"]
    found = json.loads(run(clone, *smar, *query))["hits"]
    assert [hit["item_id"] for hit in found] == [hit["item_id"] for hit in expected]
    assert "every hash as released" in run(clone, *smar, "verify")
    # By tag, into the registry of another place, and current there.
    elsewhere.mkdir()
    get = ("dvc", "get", str(clone), "models/release", "--rev", "smar@v1", "-o", "releases/v1")
    (elsewhere / "releases").mkdir()
    run(elsewhere, *get)
    shutil.copy(repository / "params.yaml", elsewhere)
    environment_of = ("--root", str(elsewhere))
    run(repository, *smar, "rollback", "v1", *environment_of)
    elsewhere_found = json.loads(run(repository, *smar, *query, *environment_of))["hits"]
    assert [hit["item_id"] for hit in elsewhere_found] == [hit["item_id"] for hit in found]
    run(elsewhere, "dvc", "artifacts", "get", str(clone), "smar", "--rev", "v1.0.0", "-o", "got")
    assert (elsewhere / "got" / "manifest.json").is_file()


def test_second_clone_goes_on_with_pictures_that_lie_in_a_store(repository: Path, tmp_path: Path):
    store, clone = tmp_path / "store", tmp_path / "clone"
    store.mkdir()
    content = yaml.safe_load((repository / "params.yaml").read_text())
    content["ingest"]["images"]["store"] = str(store)
    (repository / "params.yaml").write_text(yaml.safe_dump(content))
    run(repository, "dvc", "repro")
    small = ["images.parquet", "manifest.json"]
    assert sorted(file.name for file in (repository / "data" / "images").iterdir()) == small
    assert "Data and pipelines are up to date" in run(repository, "dvc", "repro")
    run(repository, "dvc", "remote", "add", "-q", "--default", "small", str(tmp_path / "remote"))
    commit(repository, "Pictures in a store")
    run(repository, "dvc", "push")
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    run(clone, "dvc", "pull")
    assert sorted(file.name for file in (clone / "data" / "images").iterdir()) == small
    assert "Data and pipelines are up to date" in run(clone, "dvc", "repro")
    assert not (clone / ".smar").exists()
    shutil.rmtree(clone / "data" / "embeddings")  # those of before are taken over otherwise
    again = ("dvc", "repro", "--single-item", "--force", "--no-run-cache")
    run(clone, *again, "embed")
    shards = sorted(file.name for file in store.glob("*.npy"))
    assert sorted(file.name for file in (clone / ".smar" / "shards").glob("*.npy")) == shards
    assert run(clone, "git", "status", "--porcelain") == ""
    run(clone, *again, "evaluate")  # whose report has no earlier release beside it here
    assert run(clone, "git", "status", "--porcelain", "metrics") == ""
    assert f"{len(shards)} of them kept here" in run(clone, sys.executable, "-m", "smar", "verify")
