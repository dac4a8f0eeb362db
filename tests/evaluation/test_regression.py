"""A candidate's figures beside the current release's."""

from pathlib import Path

import pytest

from smar.artifacts import write_json
from smar.errors import ArtifactError
from smar.evaluation.regression import check_regression, read_before, regressions

METRIC = "recall@50"


def figures(test: float, validation: float, system: str = "hybrid") -> dict[str, dict]:
    return {
        "test": {system: {METRIC: test}, "bm25": {METRIC: 0.1}},
        "validation": {system: {METRIC: validation}},
    }


def test_only_sets_that_both_measured_are_compared():
    old = figures(0.9, 0.8)
    del old["validation"]
    (found,) = regressions(old, figures(0.8, 0.8), METRIC)
    assert (found.query_set, found.loss) == ("test", pytest.approx(0.1))


@pytest.mark.parametrize("system", ["hybrid", "gated"])
def test_a_loss_above_two_points_fails_whatever_the_release_calls_its_search(
    tmp_path: Path, system: str
):
    released = tmp_path / "evaluate.json"
    old = figures(0.9, 0.8, system)
    old["test"]["dense"] = {METRIC: 0.2}
    write_json(released, old | {"checks": []})
    assert check_regression(read_before(released, figures(0.885, 0.9), METRIC), METRIC).passed
    found = check_regression(read_before(released, figures(0.87, 0.9), METRIC), METRIC)
    assert not found.passed
    assert found.text.startswith("test: recall@50 0.8700, the release has 0.9000; validation: ")
    assert found.figures["validation recall@50 gained"] == pytest.approx(0.1)


def test_without_a_release_nothing_is_compared(tmp_path: Path):
    found = check_regression(read_before(tmp_path / "none.json", figures(0.1, 0.1), METRIC), METRIC)
    assert (found.passed, found.text) == (True, "there is no release to compare with")


def test_damaged_figures_of_the_release_are_refused(tmp_path: Path):
    (tmp_path / "evaluate.json").write_text("{")
    with pytest.raises(ArtifactError, match="`smar verify` tells what is damaged"):
        check_regression(read_before(tmp_path / "evaluate.json", figures(0.1, 0.1), METRIC), METRIC)
