"""The index stage: where the words' share comes from."""

import json
from pathlib import Path

import pytest
import yaml

from smar.errors import ParamsError
from smar.index.hybrid import HybridIndex
from smar.paths import Paths
from smar.stages import index


def run_with(root: Path, share: str | float) -> dict[str, float]:
    paths = Paths(root)
    params = yaml.safe_load(paths.params.read_text())
    params["index"]["word_share"] = share
    paths.params.write_text(yaml.safe_dump(params))
    index.run(root)
    return json.loads(paths.outcome("index").read_text())


def test_auto_share_is_the_one_that_finds_most(small_project: Path):
    figures = run_with(small_project, "auto")
    prefix = "recall_with_word_share_"
    recalls = {float(k.removeprefix(prefix)): v for k, v in figures.items() if prefix in k}
    assert len(recalls) == 8
    assert recalls[figures["word_share"]] == max(recalls.values())
    assert HybridIndex.load(Paths(small_project).index).word_share == figures["word_share"]


def test_given_share_is_taken_and_nothing_is_measured(small_project: Path):
    figures = run_with(small_project, 0.25)
    assert figures["word_share"] == 0.25
    assert not [name for name in figures if name.startswith("recall_with")]


@pytest.mark.parametrize("share", [-0.1, 1.0, True, "most"])
def test_share_that_is_none_is_refused(small_project: Path, share: str | float):
    with pytest.raises(ParamsError, match=r"index\.word_share: expected .auto"):
        run_with(small_project, share)
