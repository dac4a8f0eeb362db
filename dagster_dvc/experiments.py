"""Experiments of DVC: shown as runs wherever they were made, and started with typed parameters.

A run of the job is one experiment. Started from the launchpad it runs `dvc exp run` with the
parameters that were set; the sensor starts one for every experiment made elsewhere, which shows its
parameters and metrics and runs nothing.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.checks import numbers
from dagster_dvc.names import tag_value

NAME_TAG, REV_TAG = "dvc/experiment", "dvc/rev"
_MOST = 60


class ExperimentConfig(dg.Config):
    """An experiment.

    Args:
        set_params: Parameter -> value, as `dvc exp run -S`: "train.lr": 0.1, or with its file
            "other.yaml:lr".
        name: Its name; DVC finds one if it is empty.
        targets: Stages to run; all if it is empty.
        is_apart: Whether it runs in a temporary copy of the repository; the workspace stays.
        shows: Name of an experiment that exists and is only shown.
    """

    set_params: dict[str, Any] = {}  # noqa: RUF012 - a pydantic field
    name: str = ""
    targets: list[str] = []  # noqa: RUF012 - a pydantic field
    is_apart: bool = True
    shows: str = ""


def build_experiment_job(root: Path, *, name: str = "dvc_experiment") -> dg.JobDefinition:
    """Return a job whose run is one experiment, of the parameters that its config sets."""

    @dg.op(name=f"{name}_run", out=dg.Out(dict))
    def experiment(context: dg.OpExecutionContext, config: ExperimentConfig) -> dg.Output[Any]:
        """Run an experiment, or show one that exists."""
        made = config.shows or run_experiment(context, root, config)
        found = next((e for e in experiments(root) if made in (e["name"], e["rev"])), None)
        if found is None:
            raise dg.Failure(
                f"{root}: there is no experiment '{made}'. `dvc exp list` shows them.",
                allow_retries=False,
            )
        tags = {NAME_TAG: tag_value(found["name"]), REV_TAG: found["rev"]}
        context.instance.add_run_tags(context.run_id, tags)
        return dg.Output(found, metadata=shown(found))

    @dg.job(
        name=name,
        executor_def=dg.in_process_executor,
        description="One run is one experiment: `dvc exp run` with the parameters of its config.",
    )
    def job() -> None:
        experiment()

    return job


def run_experiment(context: dg.OpExecutionContext, root: Path, config: ExperimentConfig) -> str:
    """Run an experiment and return its name.

    Raises:
        Failure: If DVC refuses or a stage fails.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", *config.targets]
    command += ["--name", config.name] if config.name else []
    command += ["--temp"] if config.is_apart else []
    for key, value in config.set_params.items():
        command += ["--set-param", f"{key}={json.dumps(value)}"]
    before = {entry["name"] for entry in experiments(root)}
    context.log.info(" ".join(["dvc", *command[3:]]))
    process = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    for stream in (process.stdout, process.stderr):
        if stream.strip():
            context.log.info(stream.strip())
    if process.returncode:
        tail = "\n".join((process.stdout + process.stderr).strip().splitlines()[-20:])
        raise dg.Failure(f"`dvc exp run` ended with {process.returncode}:\n{tail}")
    new = [entry["name"] for entry in experiments(root) if entry["name"] not in before]
    return config.name or (new[0] if new else "")


def experiments(root: Path) -> list[dict[str, Any]]:
    """Return the experiments of a repository: name, rev, parameters and metrics by file.

    Raises:
        OSError: If DVC cannot list them; the message is DVC's.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--no-pager"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        raise OSError(f"{root}: `dvc exp show` says: {result.stderr.strip()}")
    return [
        found
        for base in json.loads(result.stdout or "[]")
        for entry in base.get("experiments") or []
        for found in [_experiment(entry, str(base.get("rev", "")))]
        if found is not None
    ]


def _experiment(entry: Mapping[str, Any], base: str) -> dict[str, Any] | None:
    """Return what is kept of an experiment; one that still runs or failed has no data."""
    revisions = entry.get("revs") or []
    data = (revisions[0].get("data") if revisions else None) or {}
    if not data:
        return None
    return {
        "name": str(entry.get("name") or revisions[0]["rev"][:7]),
        "rev": str(revisions[0]["rev"]),
        "base": base,
        "timestamp": str(data.get("timestamp") or ""),
        "params": {f: v.get("data") for f, v in (data.get("params") or {}).items()},
        "metrics": {f: v.get("data") for f, v in (data.get("metrics") or {}).items()},
    }


def shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment as metadata: metrics first, then what it is made of."""
    found = [pair for content in entry["metrics"].values() for pair in numbers(content)]
    found.sort(key=lambda one: one[0])
    return {name: value for _, name, value in found[:_MOST]} | {
        "experiment": entry["name"],
        "rev": entry["rev"],
        "based on": entry["base"],
        "params": dg.MetadataValue.json(entry["params"]),
        "by hand": dg.MetadataValue.md(f"`dvc exp apply {entry['name']}`"),
    }


def build_experiment_sensor(
    root: Path, job: dg.JobDefinition, *, name: str, interval_s: int = 60
) -> dg.SensorDefinition:
    """Return a sensor, off until switched on, that shows every new experiment as a run."""

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=interval_s,
        description="Shows experiments that were made outside of Dagster as runs.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        known = set(json.loads(context.cursor or "[]"))
        found = experiments(root)
        new = [
            entry
            for entry in found
            if entry["rev"] not in known and not _is_shown(context.instance, entry["rev"])
        ]
        if not new:
            return dg.SkipReason(f"no new experiment among {len(found)}")
        return dg.SensorResult(
            run_requests=list(_requests(new, job.name)),
            cursor=json.dumps(sorted({entry["rev"] for entry in found})),
        )

    return look


def _is_shown(instance: dg.DagsterInstance, rev: str) -> bool:
    return bool(instance.get_runs_count(dg.RunsFilter(tags={REV_TAG: rev})))


def _requests(found: list[dict[str, Any]], job: str) -> Iterator[dg.RunRequest]:
    for entry in found:
        config = {"shows": entry["name"]}
        yield dg.RunRequest(
            run_key=f"{job}:{entry['rev']}",
            run_config={"ops": {f"{job}_run": {"config": config}}},
            tags={NAME_TAG: tag_value(entry["name"]), REV_TAG: entry["rev"]},
        )
