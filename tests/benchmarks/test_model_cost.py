"""What a step is said to take is what a small one takes; the papers' configurations run."""

import shlex
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch

from benchmarks.model_cost import build, cost, read_parameters, totals
from smar.cli import main
from smar.models.io import load_model
from smar.models.pretrained import Checkpoint
from smar.paths import Paths
from tests.models.backbones.conftest import zoo

__all__ = ["zoo"]
ROOT = Path(__file__).parents[2]
PAPERS = sorted((ROOT / "examples" / "papers").glob("*.args"))
WIDTH, LAYERS, LENGTH, ITEMS, VOCAB = 24, 2, 10, 6, 300
SMALL = [
    "model.dim=16", f"model.vocab_size={VOCAB}", "model.shared_words=false",
    "ingest.images.height=16", "ingest.images.width=16", f"pretrain.items_per_step={ITEMS}",
    "pretrain.queries_per_item=2", "model.image.patch=8", "model.image.stem=patch",
    f"model.query.max_tokens={LENGTH}", f"model.text.max_tokens={LENGTH}",
    *(f"model.{name}.hidden={WIDTH}" for name in ("query", "text", "image")),
    *(f"model.{name}.heads=2" for name in ("query", "text", "image")),
    *(f"model.{name}.layers={LAYERS}" for name in ("query", "text", "image")),
]  # fmt: skip


def test_operations_are_those_of_the_formula():
    params = read_parameters(ROOT, None, SMALL)
    with torch.device("meta"):
        model = build(params)
    parts = cost(params, model)
    per_token = LAYERS * (4 * WIDTH**2 + 2 * 4 * WIDTH**2 + 2 * LENGTH * WIDTH)
    for name, texts in (("query", 2 * ITEMS), ("text", ITEMS)):
        assert parts[name]["operations"] == 3 * 2 * texts * LENGTH * per_token
    found = totals(model, parts, tflops=2.0)
    assert found["seconds"] == pytest.approx(found["tera_operations"] / 2)
    numbers = sum(p.numel() for p in model.parameters())
    assert found["memory_gb"] == pytest.approx(16 * numbers / 1e9 + found["activations_gb"])


def test_what_is_counted_without_a_weight_is_what_a_real_step_keeps():
    params = read_parameters(ROOT, None, SMALL)
    with torch.device("meta"):
        thought = build(params)
    mine, theirs = cost(params, thought), cost(params, build(params), "cpu")
    for name, part in mine.items():
        assert part["parameters"] == theirs[name]["parameters"]
        for figure in ("operations", "saved_bytes"):  # attention has a kernel of its own there
            assert part[figure] == pytest.approx(theirs[name][figure], rel=0.1)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.stem)
def test_a_papers_model_is_of_its_size(paper: Path):
    params = read_parameters(ROOT, paper, ["pretrain.items_per_step=2"])
    with torch.device("meta"):
        model = build(params)
    found = totals(model, cost(params, model), tflops=1.0)
    sizes = {"smar_paper": (150, 200), "beyond_text_paper": (190, 200)}  # millions
    low, high = sizes[paper.stem]
    assert low < found["parameters_millions"] < high


@pytest.mark.whole
@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.stem)
def test_a_papers_configuration_runs_from_end_to_end(
    paper: Path,
    small_project: Path,
    zoo: Callable[[str], Checkpoint],
    change_params: Callable[[Path, dict[str, Any]], None],
):
    """As the paper has it, but for the sizes: tiny weights and small pictures."""
    words = shlex.split(paper.read_text())[1::2]
    chosen = dict(word.removeprefix("++").split("=", 1) for word in words)
    small = {"ingest.images.height": 16, "ingest.images.width": 16, "model.image.patch": 8}
    for tower in ("query", "text"):
        small |= {f"model.{tower}.hidden": 48, f"model.{tower}.max_tokens": 16}
    changes = chosen | small | {"model.dim": 24, "model.vocab_size": 500}
    kind = "clip" if "model.pretrained" in chosen else "vit"
    name = chosen.get("model.pretrained") or chosen["model.image.pretrained"]
    copytree(zoo(kind).folder, small_project / "backbones" / f"{name}.model")
    numbers = {k: int(v) if str(v).isdigit() else v for k, v in changes.items()}
    numbers = {k: False if v == "false" else v for k, v in numbers.items()}
    change_params(small_project, numbers | {"pretrain.steps": 9, "finetune.steps": 3})
    for stage in ("ingest", "validate", "synthesize", "features", "pretrain", "finetune"):
        assert main([stage, "--root", str(small_project), "--quiet"]) == 0, stage
    model = load_model(Paths(small_project).retriever)
    assert model.options.fusion == chosen["model.fusion"]
    assert model.image.source == name
    for stage in ("embed", "index", "evaluate"):
        assert main([stage, "--root", str(small_project), "--quiet"]) == 0, stage
