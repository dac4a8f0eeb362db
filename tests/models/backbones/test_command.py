"""A model is taken in whole, with what it can be, or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from safetensors.torch import load_file, save_file

from smar.cli import main
from smar.models.pretrained import Checkpoint

Zoo = Callable[[str], Checkpoint]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("")
    return tmp_path


def take_in(project: Path, *arguments: str) -> int:
    return main(["backbone", *arguments, "--root", str(project)])


def test_a_model_is_taken_in(project: Path, zoo: Zoo, capsys: pytest.CaptureFixture[str]):
    start = zoo("clip")
    assert take_in(project, "shop/clip", str(start.folder)) == 0
    taken = Checkpoint("shop/clip", project / "backbones" / "shop" / "clip.model")
    assert taken.digest() == start.digest()
    told = capsys.readouterr().out
    assert "pictures: 32 x 32 pixels, pooling own: set model.image.pretrained to shop/clip" in told


def test_a_sentence_encoder_says_how_it_is_used(
    project: Path, zoo: Zoo, capsys: pytest.CaptureFixture[str]
):
    assert take_in(project, "e5-tiny", str(zoo("bert").folder)) == 0
    told = capsys.readouterr().out
    assert "texts: pooling mean, at most 512 tokens, queries begin with 'query: '" in told


def test_what_cannot_be_used_is_not_taken_in(
    project: Path, zoo: Zoo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert take_in(project, "e5", str(folder)) == 2
    assert "config.json is missing" in capsys.readouterr().err
    assert not (project / "backbones").exists()


def wider(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"intermediate_size": 48}))


def deeper(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"num_hidden_layers": 5}))


def no_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    weights[name] = weights[name] * float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (wider, "have another shape than its config.json asks for (first: encoder.layer.0"),
        (deeper, "weights that its config.json asks for are not in its file"),
        (no_numbers, "encoder.layer.0.output.dense.weight holds what is no number"),
    ],
)
def test_weights_of_another_model_are_not_taken_in(
    edit: Callable[[Path], None],
    message: str,
    project: Path,
    zoo: Zoo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    folder = tmp_path / "edited"
    copytree(zoo("bert").folder, folder)
    edit(folder)
    assert take_in(project, "e5", str(folder)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "LOAD REPORT" not in error
    assert not (project / "backbones").exists()


def test_a_folder_has_no_revision(project: Path, zoo: Zoo, capsys: pytest.CaptureFixture[str]):
    assert take_in(project, "e5", str(zoo("bert").folder), "--revision", "abc") == 2
    assert "--revision abc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [("../e5", "is no name"), ("nobody/nothing", "cannot be reached|neither a folder")],
)
def test_what_is_not_there_is_refused(
    name: str, message: str, project: Path, capsys: pytest.CaptureFixture[str]
):
    assert take_in(project, name) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in message.split("|")), error
