"""Logged values go where tracking.yaml says; what is not installed is refused in words."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smar.cli import main
from smar.errors import ParamsError
from smar.params import PretrainParams, tracking
from smar.params.tracking import Tracking, read_tracking
from smar.train import tracking as trackers
from smar.train.course import Course
from smar.train.loop import Places, train
from smar.train.tracking import Log, tracked

from .conftest import Setup


def write(root: Path, text: str) -> Path:
    (root / tracking.FILE).write_text(text)
    return root


def test_without_a_file_values_go_nowhere_else(tmp_path: Path):
    assert read_tracking(tmp_path).trackers == []
    assert read_tracking(write(tmp_path, "")).trackers == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trackers: [tensorbord]", "trackers.0: Input should be 'tensorboard', 'mlflow'"),
        ("tracker: [wandb]", "tracker: Extra inputs are not permitted"),
        ("trackers: [", "cannot be read"),
        ("- wandb", "nothing was started"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused(tmp_path: Path, text: str, words: str):
    with pytest.raises(ParamsError) as refused:
        read_tracking(write(tmp_path, text))
    assert words in str(refused.value)


def test_trackers_that_are_not_installed_are_all_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None if name != "mlflow" else 1)
    with pytest.raises(ParamsError, match=r"not installed: wandb, dvclive\. Nothing was started"):
        read_tracking(write(tmp_path, "trackers: [wandb, mlflow, dvclive]"))


def test_a_training_hands_on_what_its_table_has(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    course_of: Callable[..., Course],
):
    rows: list[dict[str, float]] = []

    @contextmanager
    def kept() -> Iterator[Log]:
        yield lambda step, values: rows.append({"step": step, **values})

    here = replace(places, tracker=kept)
    train(*setup(), course=course_of(tiny_pretrain), params=tiny_pretrain, places=here)
    table = pd.read_csv(places.history, sep="\t")
    assert len(rows) == tiny_pretrain.steps
    pd.testing.assert_frame_equal(pd.DataFrame(rows).astype(float), table.astype(float), rtol=1e-4)


def test_a_tracker_that_fails_costs_no_training_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    seen: list[int] = []

    @contextmanager
    def broken(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
        def log(step: int, values: Mapping[str, float]) -> None:
            if step == 1:
                raise ConnectionError("server gone")
            seen.append(step)

        yield log

    @contextmanager
    def well(folder: Path, stage: str, params: Mapping[str, Any]) -> Iterator[Log]:
        assert params == {"seed": 7, "model.dim": 16}
        yield lambda step, values: seen.append(10 + step)

    monkeypatch.setattr(trackers, "_OPEN", {"mlflow": broken, "wandb": well})
    params = {"seed": 7, "model": {"dim": 16}}
    chosen = Tracking(trackers=["mlflow", "wandb"])
    with caplog.at_level(logging.WARNING), tracked(chosen, tmp_path, "pretrain", params) as log:
        for step in range(3):
            log(step, {"loss": 1.0})
    assert seen == [0, 10, 11, 12]
    assert caplog.text.count("tracker mlflow is asked no more: server gone") == 1


def test_tensorboard_reads_what_was_logged(tmp_path: Path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tracked(Tracking(trackers=["tensorboard"]), tmp_path, "pretrain", {"seed": 7}) as log:
        for step in (0, 10):
            log(step, {"loss": 2.0 - step / 10})
    events = reader.EventAccumulator(str(tmp_path / "tensorboard" / "pretrain")).Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(0, 2.0), (10, 1.0)]


def test_dvclive_writes_what_was_logged_and_no_second_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("dvclive")
    monkeypatch.chdir(tmp_path)
    with tracked(Tracking(trackers=["dvclive"]), tmp_path, "finetune", {"seed": 7}) as log:
        for step in (0, 10):
            log(step, {"loss": 2.0 - step / 10})
    folder = tmp_path / "dvclive" / "finetune"
    assert json.loads((folder / "metrics.json").read_text())["loss"] == 1.0
    table = pd.read_csv(folder / "plots" / "metrics" / "loss.tsv", sep="\t")
    assert table["step"].tolist() == [0, 10]
    assert not list(tmp_path.rglob("dvc.yaml"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what they are made of
@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_other_trackers_take_what_was_logged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("WANDB_MODE", "offline")
    chosen = Tracking.model_validate({"trackers": [name]})
    with tracked(chosen, tmp_path, "pretrain", {"seed": 7}) as log:
        log(0, {"loss": 2.0})
    assert list(tmp_path.rglob("mlflow.db" if name == "mlflow" else "*.wandb"))


@pytest.mark.parametrize("command", [["params", "--check"], ["ingest"]])
def test_a_tracker_that_is_none_is_told_of_before_the_first_stage(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "params.yaml").touch()
    write(tmp_path, "trackers: [tensorbord]")
    assert main([*command, "--root", str(tmp_path)]) == 2
    assert "tensorbord" in capsys.readouterr().err
