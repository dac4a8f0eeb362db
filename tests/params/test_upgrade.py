"""A params.yaml of an earlier version becomes one of today, values and comments kept."""

from pathlib import Path

import pytest
import yaml

from smar.cli import main
from smar.errors import ParamsError
from smar.params import check_params, load_params
from smar.params.upgrade import upgraded

ROOT = Path(__file__).parents[2]
EARLIER = """\
seed: 3  # mine
loss:
  kind: hinge               # of two
  temperature: 0.05
  hinge: {margin: 0.3}
gate: {kind: category, visual_categories: [Shoes], weight: 0.7}
curriculum:
  kind: joint
  shares: {alignment: 0.2, query: 0.5, fusion: 0.3}
  frozen: {alignment: [query], query: [], fusion: [text]}
synthesize:
  substring_frac: 0.6
  field_frac: 0.3
"""


def test_earlier_form_is_refused_with_the_command_that_mends_it():
    with pytest.raises(ParamsError, match=r"(?s)loss\.temperature: unknown key.*smar params --upg"):
        check_params(yaml.safe_load(EARLIER), "params.yaml")


def test_upgrade_keeps_values_and_comments():
    text = upgraded(EARLIER)
    assert "# mine" in text
    assert "# of two" in text
    params = check_params(yaml.safe_load(text), "x")
    assert (params.seed, params.loss.kind, params.loss.own.margin) == (3, "hinge", 0.3)
    assert params.loss.softmax.temperature == params.loss.gcl.temperature == 0.05
    assert params.gate.own.weight == 0.7
    assert params.curriculum.staged.shares.query == 0.5
    assert params.curriculum.staged.frozen.fusion == ["text"]
    assert params.synthesize.shares == {"substring": 0.6, "field": 0.3, "attributes": 0.1}


def test_todays_form_is_left_as_it_is(tmp_path: Path):
    text = (ROOT / "params.yaml").read_text()
    assert check_params(yaml.safe_load(upgraded(text)), "x") == load_params(ROOT / "params.yaml")
    assert yaml.safe_load(upgraded(text)) == yaml.safe_load(text)


def test_sections_that_the_graph_names_are_added():
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    del content["features"]
    added = yaml.safe_load(upgraded(yaml.safe_dump(content)))
    assert added["features"] == {"tokens": "4x4", "levels": 4, "colour": True}


def test_the_command_rewrites_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "params.yaml"
    file.write_text(EARLIER)
    assert main(["params", "--check", "--root", str(tmp_path)]) == 2
    assert main(["params", "--upgrade", "--root", str(tmp_path)]) == 0
    assert main(["params", "--check", "--root", str(tmp_path)]) == 0
    assert "parameters are valid" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
