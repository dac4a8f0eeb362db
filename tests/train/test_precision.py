"""The number format is asked for, or measured once and kept."""

import json
import time
from pathlib import Path

import pytest
import torch

from smar.train import precision as room
from smar.train.precision import Precision, choose_precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def products(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return the seconds that a product of two matrices takes in each precision."""
    monkeypatch.setattr(room, "_has_matrix_unit", lambda: True)
    seconds = {"float32": 0.001, "bfloat16": 0.001}
    monkeypatch.setattr(room, "_product", lambda _, trial: time.sleep(seconds[trial.name]))
    return seconds


def slow(name: str):
    def run_step(precision: Precision) -> None:
        time.sleep(0.02 if precision.name == name else 0.001)

    return run_step


@pytest.mark.parametrize(("slower", "chosen"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_faster_precision_is_chosen_with_its_reason(tmp_path: Path, slower: str, chosen: str):
    precision = choose_precision("auto", slow(slower), tmp_path / "p.json", CPU)
    assert precision.name == chosen
    assert "measured here" in precision.reason


def test_nothing_is_tried_on_a_processor_without_a_unit_for_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(room, "_has_matrix_unit", lambda: False)

    def run_step(_: Precision) -> None:
        raise AssertionError("a step was tried")

    chosen = choose_precision("auto", run_step, tmp_path / "p.json", CPU)
    assert chosen.name == "float32"
    assert "AMX" in chosen.reason
    assert not (tmp_path / "p.json").exists()
    assert choose_precision("bfloat16", run_step, tmp_path / "p.json", CPU).name == "bfloat16"


def test_emulated_precision_is_given_up_after_its_first_step(tmp_path: Path):
    runs: list[str] = []

    def run_step(precision: Precision) -> None:
        runs.append(precision.name)
        slow("bfloat16")(precision)

    assert choose_precision("auto", run_step, tmp_path / "p.json", CPU).name == "float32"
    assert runs.count("bfloat16") == 1


def test_no_step_is_tried_where_products_say_that_bfloat16_is_emulated(
    tmp_path: Path, products: dict[str, float]
):
    products["bfloat16"] = 0.02

    def run_step(_: Precision) -> None:
        raise AssertionError("a step was tried")

    chosen = choose_precision("auto", run_step, tmp_path / "p.json", CPU)
    assert chosen.name == "float32"
    assert "product" in chosen.reason


def test_what_the_first_product_prepares_is_not_held_against_its_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared: set[str] = set()

    def product(_: torch.device, trial: Precision) -> None:
        time.sleep(0.001 if trial.name in prepared | {"float32"} else 0.02)
        prepared.add(trial.name)

    monkeypatch.setattr(room, "_product", product)
    assert choose_precision("auto", slow("float32"), tmp_path / "p.json", CPU).name == "bfloat16"


def test_busy_moment_hits_both_alike(tmp_path: Path):
    trials: list[str] = []

    def run_step(precision: Precision) -> None:
        trials.append(precision.name)
        time.sleep(0.02 if len(trials) <= 4 else 0.001)

    assert choose_precision("auto", run_step, tmp_path / "p.json", CPU).name == "float32"


def test_measurement_of_another_form_is_made_anew(tmp_path: Path):
    (tmp_path / "p.json").write_text(json.dumps({"float32": 1.1, "bfloat16": 1.0}))
    assert choose_precision("auto", slow("float32"), tmp_path / "p.json", CPU).name == "bfloat16"


def test_measurement_is_kept_so_that_runs_agree(tmp_path: Path):
    first = choose_precision("auto", slow("float32"), tmp_path / "p.json", CPU)
    assert choose_precision("auto", slow("bfloat16"), tmp_path / "p.json", CPU) == first


def test_small_gain_does_not_pay_for_lost_digits(tmp_path: Path):
    kept = {"tried": "step", "seconds": {"float32": 1.25, "bfloat16": 1.0}}
    (tmp_path / "p.json").write_text(json.dumps(kept))
    assert choose_precision("auto", slow("float32"), tmp_path / "p.json", CPU).name == "float32"


def test_precision_asked_for_is_taken_without_measuring(tmp_path: Path):
    chosen = choose_precision("bfloat16", slow("bfloat16"), tmp_path / "p.json", CPU)
    assert chosen.name == "bfloat16"
    assert not (tmp_path / "p.json").exists()


def test_autocast_is_on_for_bfloat16_only():
    for name, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Precision(name, "").autocast(CPU):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
