"""Parameters typed into the launchpad: checked by their types, refused at once, tried apart."""

import subprocess
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.experiment import NAME, build_parameters_job, flat, params_schema
from smar.params import Params
from smar.params.listing import entries
from tests.test_repro import run


def config(**params: object) -> dict[str, object]:
    return {"ops": {"try_parameters": {"config": {"params": params}}}}


def test_form_has_every_parameter_with_its_meaning():
    form = params_schema()
    for entry in entries(Params()):
        *sections, name = entry.key.split(".")
        place = form
        for section in sections:
            place = place[section].config_type.fields
        assert not place[name].is_required
        assert entry.meaning in place[name].description


def test_launchpad_opens_with_the_values_of_the_project(tmp_path: Path):
    (tmp_path / "params.yaml").write_text("seed: 5\nloss: {kind: gcl}\n")
    found = build_parameters_job(tmp_path).run_config
    params = found["ops"]["try_parameters"]["config"]["params"]
    assert (params["seed"], params["loss"]["kind"]) == (5, "gcl")
    assert params["finetune"]["steps"] == Params().finetune.steps
    dg.validate_run_config(build_parameters_job(tmp_path), found)


def test_wrong_names_and_types_are_refused_by_the_form(tmp_path: Path):
    (tmp_path / "params.yaml").write_text("{}\n")
    job = build_parameters_job(tmp_path)
    dg.validate_run_config(job, config(model={"dim": 64}, loss={"kind": "gcl"}))
    for wrong in ({"model": {"dims": 64}}, {"model": {"dim": "big"}}, {"modell": {"dim": 64}}):
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, config(**wrong))


def test_values_become_dotted_keys_and_tables_stay_whole():
    given = {"seed": 3, "model": {"dim": 64}, "validate": {"severity": {"items.price": "stop"}}}
    assert dict(flat(given)) == {
        "seed": 3, "model.dim": 64, "validate.severity": {"items.price": "stop"}
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose one stage writes down the parameter that it was given."""
    root = tmp_path / "project"
    root.mkdir()
    run(root, "git", "init", "-q")
    run(root, "git", "config", "user.name", "Test")
    run(root, "git", "config", "user.email", "test@example.org")
    run(root, "dvc", "init", "-q")
    stage = {"cmd": "cat params.yaml > seen.yaml", "params": ["seed", "model"]}
    stage |= {"metrics": [{"seen.yaml": {"cache": False}}]}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"see": stage}}))
    (root / "params.yaml").write_text("seed: 7\nmodel: {dim: 192}\n")
    run(root, "dvc", "repro", "-q")
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", "Project")
    return root


@pytest.mark.whole
def test_parameters_are_tried_apart(project: Path, instance: dg.DagsterInstance):
    before = run(project, "git", "status", "--porcelain")
    job = build_parameters_job(project)
    result = job.execute_in_process(run_config=config(seed=8, model={"dim": 64}), instance=instance)
    assert result.success
    events = result.get_step_success_events()
    assert [event.step_key for event in events] == ["try_parameters"]
    assert run(project, "git", "status", "--porcelain") == before
    assert yaml.safe_load((project / "params.yaml").read_text())["seed"] == 7
    assert yaml.safe_load((project / "seen.yaml").read_text())["seed"] == 7
    name = result.output_for_node("try_parameters")
    seen = yaml.safe_load(run(project, "git", "show", f"refs/exps/{_ref(project, name)}:seen.yaml"))
    assert (seen["seed"], seen["model"]["dim"]) == (8, 64)


def _ref(project: Path, name: str) -> str:
    refs = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)", "refs/exps"],  # noqa: S607
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    (found,) = [ref for ref in refs if ref.endswith(f"/{name}")]
    return found.removeprefix("refs/exps/")


def test_bad_value_is_refused_before_anything_runs(project: Path, instance: dg.DagsterInstance):
    job = build_parameters_job(project)
    assert job.name == NAME
    result = job.execute_in_process(
        run_config=config(model={"dim": -1}), instance=instance, raise_on_error=False
    )
    failure = result.failure_data_for_node("try_parameters")
    assert failure
    assert "model.dim" in str(failure.user_failure_data)
    assert run(project, "dvc", "exp", "list", "--name-only").strip() == ""
