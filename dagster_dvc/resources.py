"""Runs stages for Dagster: the repository, how long to wait, and what counts as transient."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from dagster_dvc import runner
from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.loading import load_manifest, load_once
from dagster_dvc.manifest import Stage
from dagster_dvc.metadata import Reader, stage_metadata
from dagster_dvc.sync import observe, observed_version, version_tags
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import Hasher, changes, recorded_source_version

_TRANSIENT_EXITS = (75, 137, 143)  # EX_TEMPFAIL; killed, for example for want of memory; terminated


class DvcResource(dg.ConfigurableResource):
    """A DVC repository whose stages can be run.

    Args:
        root: Its root folder.
        grace_s: Seconds a cancelled stage has to end by itself before it is killed.
        transient_exits: Exit codes of a stage after which it is worth trying again; a stage killed
            by a signal and a busy repository always are.
        reports_url: Where the root folder is served, for links to HTML reports; "" shows paths.
    """

    root: str
    grace_s: float = 4.0
    transient_exits: list[int] = list(_TRANSIENT_EXITS)  # noqa: RUF012 - a pydantic field
    reports_url: str = ""

    def materialize(
        self,
        context: dg.AssetExecutionContext,
        name: str,
        translator: DvcTranslator,
        readers: Sequence[Reader],
    ) -> dg.MaterializeResult[Any]:
        """Return the result of a stage after `dvc repro --single-item` of it.

        A stage in which nothing changed is answered at once, without starting a process.

        Raises:
            Failure: If the stage fails; it is retried only if the cause is transient.
        """
        root = Path(self.root)
        manifest = load_once(root)
        stage = manifest.stage(name)
        found = changes(manifest, [name], Hasher(root))
        if found:
            context.log.info("changed: %s", ", ".join(found[0].reasons))
            report = self.run_stage(context, stage)
            manifest = load_manifest(root)
            stage = manifest.stage(name)
        else:
            context.log.info("stage '%s' did not change", name)
            report = {"outcome": "unchanged", "seconds": 0.0}
        if stage.lock is None:
            raise DvcBridgeError(
                f"{root / stage.file}: stage '{name}' ran and is not in dvc.lock. "
                f"`dvc status {name}` tells why."
            )
        for source in translator.sources_of(stage, manifest):
            version = recorded_source_version(stage.lock, source)
            if observed_version(context.instance, translator.get_source_key(source)) != version:
                context.log_event(observe(source, translator, version))
        shown = stage_metadata(manifest, stage, readers, self.reports_url)
        tags = version_tags(stage, stage.lock, manifest, translator)
        return dg.MaterializeResult(
            asset_key=translator.get_asset_key(stage),
            metadata=shown
            | {"dvc/outcome": report["outcome"], "duration_s": round(report["seconds"], 3)}
            | report.get("reported", {}),
            data_version=dg.DataVersion(tags["dagster/data_version"]),
            tags=tags,
        )

    def run_stage(self, context: dg.AssetExecutionContext, stage: Stage) -> dict[str, Any]:
        """Return the runner's report of a stage that succeeded, and what the stage itself reported.

        Raises:
            Failure: If it did not.
        """
        # -P: this folder's modules must not stand in for the standard library's.
        command = [sys.executable, "-P", runner.__file__, "--grace", str(self.grace_s)]
        for out in stage.outs:
            if not out.is_kept:  # DVC leaves those in place
                command += ["--restore" if out.is_cached else "--keep", out.path]
        with dg.open_pipes_session(
            context,
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        ) as session:
            environment = os.environ | session.get_bootstrap_env_vars()
            process = subprocess.Popen([*command, stage.name], cwd=self.root, env=environment)
            try:
                process.wait()
            except (DagsterExecutionInterruptedError, KeyboardInterrupt):
                process.send_signal(signal.SIGTERM)
                process.wait()
                raise
            finally:
                _end_group(process.pid)
        messages = session.get_custom_messages()
        report = messages[-1] if messages else {"outcome": "failed", "tail": [], "is_busy": False}
        if process.returncode:
            raise self._failure(stage, process.returncode, report)
        reported: dict[str, Any] = {}
        for result in session.get_reported_results():
            reported |= result.metadata or {}
        return {**report, "reported": reported}

    def _failure(self, stage: Stage, code: int, report: Mapping[str, Any]) -> dg.Failure:
        stage_exit = report.get("stage_exit")
        is_killed = code < 0 or (stage_exit is not None and stage_exit < 0)
        is_transient = is_killed or bool(report["is_busy"]) or stage_exit in self.transient_exits
        tail = "\n".join(report["tail"])
        ended = f"exit code {code if stage_exit is None else stage_exit}"
        advice = "tried again" if is_transient else "not tried again: it would fail the same way"
        return dg.Failure(
            f"stage '{stage.name}' {report['outcome']} ({ended}); {advice}. By hand: "
            f"`dvc repro --single-item {stage.name}`.\n\n{tail}",
            metadata={
                "command": dg.MetadataValue.md(f"```sh\n{chr(10).join(stage.cmd)}\n```"),
                "output": dg.MetadataValue.md(f"```\n{tail}\n```"),
                "brought back": ", ".join(report.get("restored", [])) or "nothing was missing",
            },
            allow_retries=is_transient,
        )


def _end_group(group: int) -> None:
    """Kill what a runner left that was itself killed; in every other case nothing is left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
