"""Parameters typed into Dagster's launchpad, tried apart: the project's folder stays as it is.

The form is made of smar's own parameters: their types, choices, bounds and meanings. What was set
becomes `dvc exp run --temp -S`, whose result is an experiment of DVC like any other.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_dvc.experiments import ExperimentConfig, experiments, run_experiment, shown
from smar.errors import ParamsError
from smar.params import Params, check_params, load_params
from smar.params.listing import Entry, entries

NAME = "experiment"
# What the launchpad opens with, at the values of params.yaml; every other key can be added.
OFFERED = (
    "seed",
    "model.dim",
    "model.fusion",
    "loss.kind",
    "gate.kind",
    "pretrain.steps",
    "pretrain.learning_rate",
    "finetune.steps",
    "finetune.learning_rate",
    "index.word_share",
)
_TYPES: dict[type, Any] = {bool: dg.Bool, int: dg.Int, float: dg.Float, str: dg.String}


def build_parameters_job(root: Path) -> dg.JobDefinition:
    """Return a job that tries parameters in a temporary copy of the project."""
    schema = {
        "name": dg.Field(
            dg.String, is_required=False, description="Name of the experiment; DVC finds one."
        ),
        "stages": dg.Field(
            [dg.String],
            is_required=False,
            description="Stages to run, with what they need; all without.",
        ),
        "params": dg.Field(
            params_schema(),
            is_required=False,
            description="What differs from params.yaml; what is not named stays.",
        ),
    }

    @dg.op(name="try_parameters", config_schema=schema)
    def attempt(context: dg.OpExecutionContext) -> dg.Output[Any]:
        """Run `dvc exp run --temp` with the parameters of the config."""
        config = context.op_config
        changes = dict(flat(config.get("params", {})))
        refuse_bad(root, changes)
        made = run_experiment(
            context,
            root,
            ExperimentConfig(
                set_params=changes,
                name=config.get("name", ""),
                targets=config.get("stages", []),
                is_apart=True,
            ),
        )
        found = next((one for one in experiments(root) if made in (one["name"], one["rev"])), None)
        if found is None:
            raise dg.Failure(
                "nothing differs from what the project has: no experiment was made.",
                allow_retries=False,
            )
        return dg.Output(found["name"], metadata=shown(found))

    @dg.job(
        name=NAME,
        executor_def=dg.in_process_executor,
        config={"ops": {"try_parameters": {"config": {"params": offered(root)}}}},
        description="Parameters tried in a temporary place: `dvc exp run --temp -S`. The project's "
        "folder stays as it is; `dvc exp show` compares, `dvc exp apply` takes one over.",
    )
    def job() -> None:
        attempt()

    return job


def offered(root: Path) -> dict[str, Any]:
    """Return what people change most, by section, as params.yaml has it."""
    values = {entry.key: entry.value for entry in entries(load_params(root / "params.yaml"))}
    found: dict[str, Any] = {}
    for key in OFFERED:
        _put(found, key, values[key])
    return found


def params_schema() -> dict[str, Any]:
    """Return the form: every parameter of smar by section, none of which has to be given."""
    form: dict[str, Any] = {}
    for entry in entries(Params()):
        _put(form, entry.key, _field(entry))
    return _closed(form)


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key; sections that are not there are made."""
    *sections, name = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[name] = value


def _closed(form: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: dg.Field(_closed(part), is_required=False) if isinstance(part, dict) else part
        for name, part in form.items()
    }


def _field(entry: Entry) -> dg.Field:
    choices = entry.bounds.split(" | ")
    kind = _TYPES.get(type(entry.default), dg.Any)
    if kind is dg.String and len(choices) > 1 and all(word.isidentifier() for word in choices):
        kind = dg.Enum(f"{entry.key.replace('.', '_')}_choice", list(map(dg.EnumValue, choices)))
    elif len(choices) > 1 and kind is not dg.Bool:
        kind = dg.Any  # a number or a word
    about = (entry.meaning, entry.bounds, f"default {entry.default!r}")
    return dg.Field(kind, is_required=False, description=". ".join(filter(None, about)))


def flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what was set as dotted keys and values; a table that is a value stays one."""
    known = {entry.key for entry in entries(Params())}
    for name, value in content.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and key not in known:
            yield from flat(value, f"{key}.")
        else:
            yield key, value


def refuse_bad(root: Path, changes: Mapping[str, Any]) -> None:
    """Refuse parameters that smar would refuse, before anything is copied or run.

    Raises:
        Failure: Lists all problems.
    """
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        _put(content, key, value)
    try:
        check_params(content, "the launchpad's params")
    except ParamsError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
