"""params.yaml: strict, and all problems at once."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from smar.errors import ParamsError
from smar.params import check_params, load_params

ROOT = Path(__file__).parents[2]


@pytest.fixture
def content() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_shipped_parameters_are_valid():
    load_params(ROOT / "params.yaml")


def test_all_problems_are_listed_at_once(content: dict[str, Any]):
    content["pretrain"]["stepz"] = 3
    content["loss"]["softmax"]["temperature"] = -1
    content["embed"]["batch_size"] = "many"
    content["ingst"] = {}
    with pytest.raises(ParamsError) as error:
        check_params(content, "params.yaml")
    message = str(error.value)
    assert "4 problem(s); nothing was started" in message
    assert "pretrain.stepz: unknown key. Did you mean 'steps'?" in message
    assert re.search(r"loss\.softmax\.temperature: .*greater than 0, got -1", message)
    assert re.search(r"embed\.batch_size: .*integer, got 'many'", message)
    assert "ingst: unknown key. Did you mean 'ingest'?" in message


def test_numbers_in_quotes_are_refused(content: dict[str, Any]):
    content["pretrain"]["learning_rate"] = "1e-3"
    with pytest.raises(ParamsError, match=r"pretrain\.learning_rate: .*got '1e-3'"):
        check_params(content, "params.yaml")


def test_parameters_cannot_be_changed_afterwards(content: dict[str, Any]):
    with pytest.raises(ValueError, match="frozen"):
        check_params(content, "x").embed.batch_size = 3


def test_missing_and_broken_files_are_refused(tmp_path: Path):
    with pytest.raises(ParamsError, match="not found"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1")
    with pytest.raises(ParamsError, match="not valid YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("just text")
    with pytest.raises(ParamsError, match="1 problem"):
        load_params(tmp_path / "params.yaml")
