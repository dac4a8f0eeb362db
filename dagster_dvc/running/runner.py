"""Runs `dvc repro` for one stage and answers for the whole process tree below it.

A copy of the Dagster step's process, or one of its own that imports nothing else. It passes on
output line by line, ends the tree when it is told to or when the step is gone, and brings back the
stage's last good outputs when the stage did not finish.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster_pipes import PipesContext, open_dagster_pipes

from dagster_dvc.running.job import Job, Report
from dagster_dvc.running.output import Lines, StageMessages, pass_on
from dagster_dvc.running.processes import Process, Watch, become_subreaper, stop_tree
from dagster_dvc.running.restoring import put_back, remember, restore
from dagster_dvc.running.waiting import wait_until_free

_TICK_S = 0.2


def main(job: Job, pipe: int, *, is_forked: bool = False) -> int:
    """Run a stage; the exit code is DVC's, or 130 when cancelled.

    Args:
        job: What is to be done.
        pipe: Where the variables for the environment come from, as one line of JSON.
        is_forked: Whether DVC can be run in a copy of this process.
    """
    watch = Watch()
    os.setpgid(0, 0)
    with os.fdopen(pipe, encoding="utf-8") as lines:
        start = lines.readline()
    if not start:  # the step gave up before it began
        return 130
    os.environ.update(json.loads(start))
    become_subreaper()
    with TemporaryDirectory(prefix="dvc-stage-") as folder, open_dagster_pipes() as pipes:
        messages = StageMessages(Path(folder))
        before = remember(job.keep)
        report = Report()
        for arguments in job.commands():
            run(arguments, report, watch, messages, pipes, job.grace_s, is_forked=is_forked)
            while (
                report.exit_code
                and report.is_busy
                and wait_until_free(report, job.paths, watch, pipes)
            ):
                report = Report()
                run(arguments, report, watch, messages, pipes, job.grace_s, is_forked=is_forked)
            if report.exit_code:
                break
        # What a stage that never began writes is in other hands.
        if report.exit_code and not report.is_busy:
            is_cancelled = report.outcome == "cancelled"
            report.restored = restore(job.restore, pipes, is_everything=is_cancelled)
            report.restored += put_back(before)
        pipes.report_custom_message(vars(report) | {"tail": list(report.tail)})
    return report.exit_code


def run(
    arguments: Sequence[str],
    report: Report,
    watch: Watch,
    messages: StageMessages,
    pipes: PipesContext,
    grace: float,
    *,
    is_forked: bool,
) -> None:
    """Run a command of DVC, pass on all it prints, and take down how it ended."""
    start = time.monotonic()
    environment = {"PYTHONUNBUFFERED": "1"} | messages.environment()
    process = Process(arguments, environment, is_forked=is_forked)
    lines = Lines(process.output)
    while process.poll() is None and not watch.is_over():
        pass_on(lines.read(_TICK_S), report, pipes)
        messages.relay()
    if process.poll() is None:
        pipes.log.warning("stopping: %s", watch.reason)
        stop_tree(grace)
    code = process.wait()
    pass_on(lines.read(0.0, last=True), report, pipes)
    os.close(process.output)
    messages.relay()
    report.exit_code = 130 if watch.reason else code
    if report.exit_code:
        report.outcome = "cancelled" if watch.reason else "failed"
    report.seconds += time.monotonic() - start
