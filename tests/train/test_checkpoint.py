"""Checkpoints bring back weights, optimiser and progress; a broken one is left aside."""

from pathlib import Path

import pytest
import torch

from smar.train.checkpoint import Progress, load_checkpoint, remove_checkpoint, save_checkpoint
from smar.train.optim import build_optimizer


def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = build_optimizer(model, 0.1)
    for _ in range(3):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    return model, optimizer


def test_checkpoint_brings_everything_back(tmp_path: Path):
    model, optimizer = trained()
    save_checkpoint(tmp_path / "c", model, optimizer, Progress(3, [{"step": 2, "loss": 0.5}]))
    other = torch.nn.Linear(3, 2)
    fresh = build_optimizer(other, 0.1)
    assert load_checkpoint(tmp_path / "c", other, fresh) == Progress(3, [{"step": 2, "loss": 0.5}])
    assert torch.equal(model.weight, other.weight)
    for one, two in zip(
        optimizer.state_dict()["state"].values(), fresh.state_dict()["state"].values(), strict=True
    ):
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_checkpoint_brings_back_the_state_of_random_numbers(tmp_path: Path):
    save_checkpoint(tmp_path / "c", *trained(), Progress(3, []))
    expected = torch.rand(5)
    torch.manual_seed(99)
    load_checkpoint(tmp_path / "c", *trained())
    assert torch.equal(torch.rand(5), expected)


def test_no_checkpoint_is_none(tmp_path: Path):
    assert load_checkpoint(tmp_path / "c", *trained()) is None


def test_broken_checkpoint_is_left_aside_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    model, optimizer = trained()
    save_checkpoint(tmp_path / "c", model, optimizer, Progress(3, []))
    file = tmp_path / "c" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    assert load_checkpoint(tmp_path / "c", model, optimizer) is None
    assert "is not readable and is left aside" in caplog.text


def test_removed_checkpoint_is_gone(tmp_path: Path):
    save_checkpoint(tmp_path / "c", *trained(), Progress(1, []))
    remove_checkpoint(tmp_path / "c")
    assert not (tmp_path / "c").exists()
