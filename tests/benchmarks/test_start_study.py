"""The study of starts: what is done is not done again, and its tables say how sure they are."""

import sys
from pathlib import Path

import pytest

from benchmarks import start_study
from benchmarks.fair.results import Results


@pytest.fixture
def study(shared_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what runs the study with some arguments, a start from nothing under two names."""
    monkeypatch.setattr(start_study, "STARTS", {"nothing": (), "pictures": ("model.dim=48",)})

    def run(*arguments: str) -> None:
        short = ("pretrain.beta=1", "--seconds", "0.2", "--held-out", "20")
        names = ("--folder", str(tmp_path / "study"), "--starts", "nothing", "pictures")
        told = ["start_study", str(shared_project), *short, *names, *arguments]
        monkeypatch.setattr(sys, "argv", told)
        start_study.main()

    return run


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_and_tells_intervals(
    study, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    study("--seeds", "7", "8")
    tables = capsys.readouterr().out
    lines = Results(tmp_path / "study").finals("pictures-1")
    assert [line["seed"] for line in lines] == [7, 8]
    assert "model.dim=48" in lines[0]["changes"]
    row = next(line for line in tables.splitlines() if line.startswith("| pictures | 2 |"))
    assert f"{(lines[0]['title_r@10'] + lines[1]['title_r@10']) / 2:.3f} (" in row
    assert "## Points above nothing" in tables
    assert lines[0]["validation_search_ndcg@10"] > 0
    assert "| nDCG@10, search, validation |" in tables
    monkeypatch.setattr(start_study, "compare", lambda *_: pytest.fail("trained again"))
    study("--seeds", "7", "8")
    assert capsys.readouterr().out == tables


def test_a_study_that_has_not_begun_has_empty_tables(study, capsys: pytest.CaptureFixture[str]):
    study("--report", "--log-fracs", "0.05")
    assert capsys.readouterr().out.startswith("## 5% of the log\n\nNothing yet.")
