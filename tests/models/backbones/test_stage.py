"""Training from pretrained models, as a stage runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from smar.cli import main
from smar.models.io import load_model
from smar.models.pretrained import Checkpoint
from smar.paths import Paths

Zoo = Callable[[str], Checkpoint]
Change = Callable[[Path, dict[str, Any]], None]


@pytest.fixture
def project(small_project: Path, zoo: Zoo, change_params: Change) -> Path:
    """A project whose text towers start from one tiny encoder, before training."""
    copytree(zoo("bert").folder, small_project / "backbones" / "tiny.model")
    start = {f"model.{tower}.pretrained": "tiny" for tower in ("query", "text")}
    short = {"pretrain.steps": 2, "finetune.steps": 2}
    change_params(small_project, start | short | {"model.dim": 24})
    return small_project


def run(project: Path, *stages: str) -> None:
    for stage in stages:
        assert main([stage, "--root", str(project), "--quiet"]) == 0


@pytest.mark.whole
def test_a_start_is_measured_kept_and_compared(project: Path):
    run(project, "pretrain", "finetune")
    paths = Paths(project)
    model = load_model(paths.retriever)
    assert (model.query.source, model.text.source, model.image.source) == ("tiny", "tiny", "")
    assert model.query.backbone is not model.text.backbone
    for stage in ("pretrain", "finetune"):
        outcome = json.loads(paths.outcome(stage).read_text())
        check = next(c for c in outcome["checks"] if c["name"] == "not_worse_than_its_start")
        assert check["figures"]["before"] == pytest.approx(model.start["text"], abs=1e-4)
        assert 0 <= outcome["recall_gated"] <= 1


@pytest.mark.whole
def test_other_weights_under_one_name_are_another_run(project: Path):
    def inputs() -> dict[str, str]:
        run(project, "pretrain")
        content = json.loads((Paths(project).pretrained / "manifest.json").read_text())
        found: dict[str, str] = content["inputs"]
        return found

    before = inputs()
    file = project / "backbones" / "tiny.model" / "model.safetensors"
    weights = bytearray(file.read_bytes())
    weights[-1] ^= 1
    file.write_bytes(weights)
    after = inputs()
    assert {name for name in before if before[name] != after[name]} == {"tiny.model"}


@pytest.mark.parametrize("stage", ["ingest", "pretrain"])
def test_a_model_that_cannot_be_used_stops_the_first_stage(
    stage: str, project: Path, capsys: pytest.CaptureFixture[str]
):
    (project / "backbones" / "tiny.model" / "tokenizer.json").unlink()
    assert main([stage, "--root", str(project), "--quiet"]) == 2
    assert "2 problem(s) with pretrained models; nothing was started" in capsys.readouterr().err


def test_searching_needs_no_backbone(project: Path, change_params: Change):
    change_params(project, {"model.query.pretrained": "gone", "model.text.pretrained": "gone"})
    assert main(["search", "red dress", "--root", str(project)]) == 0
