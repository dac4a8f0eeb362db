"""Commits what a run recorded, pushes its data and then the commit, and tags a new release.

By hand it is `git commit dvc.lock metrics`, `dvc push`, `make tag`, `git push --follow-tags`.
Nothing but these files is committed, whatever else was changed or staged. Where MLflow is installed
and told where it is, the release is registered there too.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import dagster as dg

from dagster_dvc.sensors import Job
from smar.service.registry import current_version

VARIABLE = "SMAR_PUBLISH"
MLFLOW = "MLFLOW_TRACKING_URI"  # its own variable
RECORDED = ("dvc.lock", "metrics")
_STARTED_BY = ("dagster/schedule_name", "dagster/sensor_name")


def build_publish_job(root: Path, tags: dict[str, str]) -> dg.JobDefinition:
    """Return the job that commits, pushes and tags."""

    @dg.op(name="commit_push_and_tag")
    def work(context: dg.OpExecutionContext) -> dg.Output[str]:
        """Do it, and say what was done."""
        done = publish(root)
        for line in done:
            context.log.info(line)
        return dg.Output("; ".join(done), metadata={"done": "\n".join(done)})

    @dg.job(
        name="publish",
        executor_def=dg.in_process_executor,
        tags=tags,
        description="Commits dvc.lock and metrics/; pushes data, commit and tags of a new release.",
    )
    def job() -> None:
        work()

    return job


def build_publish_sensor(job: dg.JobDefinition, after: list[Job]) -> dg.SensorDefinition:
    """Return a sensor that publishes after a run that a schedule or sensor started and that worked.

    It is off until switched on under *Automation*, or by SMAR_PUBLISH=on.
    """
    is_on = os.environ.get(VARIABLE, "off").lower() == "on"

    @dg.run_status_sensor(
        name="publish_after_run",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=after,
        request_job=job,
        default_status=dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED,
        description="Starts `publish` after a run that a schedule or sensor started.",
    )
    def publish_after_run(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        if not any(tag in run.tags for tag in _STARTED_BY):
            return dg.SkipReason(f"run {run.run_id[:8]} was started by hand")
        return dg.RunRequest(run_key=f"publish:{run.run_id}")

    return publish_after_run


def publish(root: Path) -> list[str]:
    """Commit, push and tag; return what was done, in words.

    Raises:
        Failure: If git or DVC refuses; the message is theirs. What was done before stays, and a
            later call goes on from there.
    """
    done: list[str] = []
    version = current_version(root)
    present = [name for name in RECORDED if (root / name).exists()]
    _run(root, "git", "add", "--", *present)
    if _run(root, "git", "status", "--porcelain", "--", *present):
        title = f"Pipeline run, release {version}" if version else "Pipeline run, no release"
        _run(root, "git", "commit", "--quiet", "-m", title, "--", *present)
        done.append(f"committed {_run(root, 'git', 'rev-parse', '--short', 'HEAD')}: {title}")
    else:
        done.append("nothing to commit: dvc.lock and metrics are as they were")
    if _run(root, sys.executable, "-m", "dvc", "remote", "list"):
        # First the data: nobody shall pull a commit whose data is not there.
        said = _run(root, sys.executable, "-m", "dvc", "push")
        done.append(f"dvc push: {said.splitlines()[-1] if said else 'done'}")
    else:
        done.append("no DVC remote: data stays on this machine (`dvc remote add --default`)")
    tags = [f"smar@{version}{end}" for end in ("", ".0.0")] if version else []
    known = set(_run(root, "git", "tag", "--list").splitlines())
    for tag in (tag for tag in tags if tag not in known):
        _run(root, "git", "tag", "-a", tag, "-m", f"Release {version}")
        done.append(f"tagged {tag}")
    if _run(root, "git", "remote"):
        branch = _run(root, "git", "rev-parse", "--abbrev-ref", "HEAD")
        remote = _run(root, "git", "remote").splitlines()[0]
        # All or nothing: a tag whose commit was rejected would name what nobody has.
        _run(root, "git", "push", "--quiet", "--atomic", "--follow-tags", remote, branch)
        done.append(f"pushed {branch} to {remote}")
    else:
        done.append("no git remote: the commit stays on this machine")
    if version and MLFLOW in os.environ and find_spec("mlflow"):
        done.append(_run(root, sys.executable, "-m", "smar", "register"))
    return done


def _run(root: Path, *command: str) -> str:
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        raise dg.Failure(
            f"`{' '.join(command)}` ended with {result.returncode}: "
            f"{(result.stderr or result.stdout).strip()}",
            allow_retries=False,
        )
    return result.stdout.strip()
