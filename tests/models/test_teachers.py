"""A folder that holds no teacher is refused before any work, in words."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest

from smar.artifacts import Manifest, write_directory
from smar.cli import main
from smar.errors import ArtifactError, ParamsError
from smar.models.pretrained import Checkpoint
from smar.models.saved import KIND
from smar.models.teachers import find_teacher

Zoo = Callable[[str], Checkpoint]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the empty folder of the teacher `large`."""
    place = tmp_path / "backbones" / "large.model"
    place.mkdir(parents=True)
    return place


def test_none_is_asked_for_and_none_is_there(tmp_path: Path):
    assert find_teacher("", tmp_path) is None
    with pytest.raises(ParamsError, match=r"there is no folder .*large\.model"):
        find_teacher("large", tmp_path)


def test_scores_are_read_by_their_columns(folder: Path):
    file = folder / "scores.parquet"
    pd.DataFrame({"query": ["a"], "item_id": ["b"], "score": [1.0], "more": [2]}).to_parquet(file)
    assert find_teacher("large", folder.parent) == Checkpoint("large", folder)
    pd.DataFrame({"query": ["a"]}).to_parquet(file)
    with pytest.raises(ParamsError, match="columns item_id, score are missing"):
        find_teacher("large", folder.parent)
    file.write_bytes(b"PAR1 cut off")
    with pytest.raises(ParamsError, match="is not read as a parquet file"):
        find_teacher("large", folder.parent)


@pytest.mark.parametrize("kind", ["empty", "bert", "vit"])
def test_a_folder_without_a_teacher_is_refused(kind: str, folder: Path, zoo: Zoo):
    if kind != "empty":
        copytree(zoo(kind).folder, folder, dirs_exist_ok=True)
    with pytest.raises(ParamsError, match=r"holds no teacher; expected scores\.parquet"):
        find_teacher("large", folder.parent)


def test_a_pair_is_a_teacher_unless_it_cannot_be_used(folder: Path, zoo: Zoo):
    copytree(zoo("clip").folder, folder, dirs_exist_ok=True)
    assert find_teacher("large", folder.parent) == Checkpoint("large", folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ParamsError, match=r"preprocessor_config\.json is missing"):
        find_teacher("large", folder.parent)


def test_another_artefact_is_no_trained_model(folder: Path):
    folder.rmdir()
    with write_directory(folder, Manifest(kind="index")):
        pass
    with pytest.raises(ArtifactError, match="index"):
        find_teacher("large", folder.parent)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["kind"] != KIND


def test_the_check_of_parameters_tells_of_it(folder: Path, capsys: pytest.CaptureFixture[str]):
    root = folder.parent.parent
    (root / "params.yaml").write_text("finetune: {teacher: {name: large}}\n")
    assert main(["params", "--check", "--root", str(root)]) == 2
    assert "holds no teacher" in capsys.readouterr().err
