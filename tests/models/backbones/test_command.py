"""A model is taken in whole, with what it can be, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

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
