"""Studies: the plan's names and settings."""

from itertools import product
from pathlib import Path

import pytest
import yaml

from smar.errors import ParamsError
from smar.params import Params
from studies.plan import apply_settings, load_plan

ROOT = Path(__file__).parents[2]
PLAN = yaml.safe_load((ROOT / "studies" / "params.yaml").read_text())


def write_plan(folder: Path, **changes: object) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(PLAN | changes))
    return path


def test_every_run_of_the_plan_has_valid_parameters():
    plan = load_plan(ROOT / "studies" / "params.yaml")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    todo = (plan.matrix, plan.forms, plan.finalists)
    # benchmarks.fair and benchmarks.papers
    of_benchmarks = {
        "fashion_aligned",
        "fashion_small_pictures",
        "demo_two_sides",
        "demo_first_side",
    }
    assert {name for matrix in todo for name in matrix.data} | of_benchmarks == set(plan.data)
    of_papers = {"joint_alignment", "joint_late_mean", "joint_moe_bilinear", "one_loss"}
    assert {name for matrix in todo for name in matrix.variants} | of_papers == set(plan.variants)
    runs = {pair for matrix in todo for pair in product(matrix.data, matrix.variants)}
    # What a log teaches cannot be had without one; every other variant goes with every shop.
    logged = {
        name for name in plan.data if plan.data[name].settings.get("ingest.log.kind") != "none"
    }
    assert len(logged) == len(plan.data) - 1
    # Frozen pictures go with what their benchmark trains.
    runs |= set(product(logged - {"fashion_aligned"}, plan.variants))
    for data, variant in runs | set(product(["fashion_aligned"], of_papers)):
        given = (plan.base, plan.data[data].settings, plan.variants[variant])
        Params.model_validate(apply_settings(params, *given))


def test_later_settings_win_and_the_parameters_stay_as_they_were():
    params = {"seed": 1, "model": {"dim": 8}}
    result = apply_settings(params, {"model.dim": 16, "seed": 2}, {"model.dim": 32})
    assert result == {"seed": 2, "model": {"dim": 32}}
    assert params == {"seed": 1, "model": {"dim": 8}}


def test_setting_of_an_unknown_section_is_refused():
    with pytest.raises(ParamsError, match="no section 'modle'"):
        apply_settings({"model": {}}, {"modle.dim": 1})


def test_part_that_params_yaml_leaves_at_its_defaults_is_made():
    given = {"finetune.augment.flip": 0.5, "finetune.augment.crop": 0.1}
    result = apply_settings({"finetune": {"steps": 3}}, given)
    assert result == {"finetune": {"steps": 3, "augment": {"flip": 0.5, "crop": 0.1}}}


def test_part_of_a_value_is_refused():
    with pytest.raises(ParamsError, match=r"finetune.steps.one: 'steps' has no parts"):
        apply_settings({"finetune": {"steps": 3}}, {"finetune.steps.one": 1})


def test_all_unknown_names_are_refused_at_once(tmp_path: Path):
    matrix = {"data": ["demoo"], "variants": ["smarr"], "seeds": [1]}
    with pytest.raises(ParamsError, match=r"2 problem") as caught:
        load_plan(write_plan(tmp_path, matrix=matrix))
    assert "matrix: unknown data 'demoo'. Did you mean 'demo'?" in str(caught.value)
    assert "unknown variant 'smarr'. Did you mean 'smar'?" in str(caught.value)


def test_unknown_key_of_the_plan_is_refused(tmp_path: Path):
    with pytest.raises(ParamsError, match="sedes"):
        load_plan(write_plan(tmp_path, sedes=[1]))


def test_missing_plan_is_refused(tmp_path: Path):
    with pytest.raises(ParamsError, match="not found"):
        load_plan(tmp_path / "params.yaml")
