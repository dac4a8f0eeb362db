"""The same data and parameters give the same model bytes; where they do not, it is said why."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smar.artifacts import read_manifest
from smar.cli import main
from smar.paths import Paths
from smar.provenance import provenance
from smar.release.diff import diff_releases

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parent.parent
Change = Callable[[Path, dict[str, Any]], None]


def weights(root: Path) -> bytes:
    return (Paths(root).retriever / "model.safetensors").read_bytes()


def run_elsewhere(root: Path, *stages: str) -> None:
    """Run stages in processes of their own, as DVC does."""
    for stage in stages:
        subprocess.run(
            [sys.executable, "-m", "smar", stage, "-q", "--root", str(root)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )


def test_model_trained_again_in_other_processes_is_the_same_bytes(small_project: Path):
    before = weights(small_project)
    run_elsewhere(small_project, "pretrain", "finetune")
    assert weights(small_project) == before


def test_manifest_of_a_model_names_all_that_may_change_its_bytes(small_project: Path):
    manifest = read_manifest(Paths(small_project).retriever, "model")
    assert set(manifest.inputs) == {
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/searches.parquet",
        "data/accepted/engagements.parquet",
        "data/features",
        "data/images",
        "data/synthetic",
        "models/pretrained",
    }
    assert manifest.params["seed"] == 7
    known = provenance(small_project, Paths(small_project).retriever)
    assert {"python", "processor", "torch", "numpy"} <= set(known["versions"])
    release = read_manifest(Paths(small_project).releases / "v1", "release")
    assert release.details["provenance"]["models/retriever"] == known
    assert release.versions == known["versions"]


@pytest.mark.parametrize(
    ("changes", "stages", "difference"),
    [
        ({"seed": 8}, ("finetune",), "seed"),
        ({"finetune.learning_rate": 0.003}, ("finetune",), "finetune.learning_rate"),
        (
            {"synthesize.max_per_item": 5},
            ("synthesize", "pretrain", "finetune"),
            "model, made from data/synthetic",
        ),
    ],
)
def test_difference_between_two_models_is_explained(
    small_project: Path,
    change_params: Change,
    changes: dict[str, Any],
    stages: tuple[str, ...],
    difference: str,
):
    generous = {"promote.margin": 1.0, "promote.slice_margin": 1.0}
    generous |= {"promote.max_loss": 1.0, "promote.anchor": "current"}
    generous |= {"promote.max_latency_ms": 1e6, "promote.max_latency_ratio": 1e6}
    before = weights(small_project)
    change_params(small_project, generous | changes)
    for stage in (*stages, "embed", "index", "evaluate", "promote"):
        assert main([stage, "-q", "--root", str(small_project)]) == 0
    assert weights(small_project) != before
    diff = diff_releases(small_project, "v1", "v2")
    names = {name for name, _, _ in [*diff.params, *diff.origins]}
    assert difference in names
    assert not any("library" in name or "made by" in name for name in names)
