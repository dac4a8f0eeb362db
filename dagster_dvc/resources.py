"""Runs stages for Dagster: the repository, how long to wait, and what counts as transient."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_dvc import checks
from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.hooks import NO_HOOKS, Hooks
from dagster_dvc.manifest import Stage
from dagster_dvc.metadata import Reader, stage_metadata
from dagster_dvc.private import DagsterExecutionInterruptedError, set_param
from dagster_dvc.repository import Repository, open_repository
from dagster_dvc.sync import observe, observed_version
from dagster_dvc.tags import pointer_tags, reads, version_tags
from dagster_dvc.translator import DvcTranslator
from dagster_dvc.versions import recorded_source_version

if TYPE_CHECKING:
    from dagster_dvc.running.launch import Launched

TRANSIENT_EXITS = (75, 137, 143)  # EX_TEMPFAIL; killed, for example for want of memory; terminated


class DvcResource(dg.ConfigurableResource):
    """A DVC repository whose stages can be run.

    Args:
        root: Its root folder.
        grace_s: Seconds a cancelled stage has to end by itself before it is killed.
        transient_exits: Exit codes of a stage after which it is worth trying again; a stage killed
            by a signal and a busy repository always are.
        reports_url: Where the root folder is served, for links to HTML reports; "" shows paths.
        is_pulled: Whether what a stage reads is pulled from DVC's remote before it runs.
        is_pushed: Whether what a stage wrote is pushed to DVC's remote after it ran.
    """

    root: str
    grace_s: float = 4.0
    transient_exits: list[int] = list(TRANSIENT_EXITS)  # noqa: RUF012 - a pydantic field
    reports_url: str = ""
    is_pulled: bool = False
    is_pushed: bool = False

    def materialize(
        self,
        context: dg.AssetExecutionContext,
        name: str,
        translator: DvcTranslator,
        readers: Sequence[Reader],
        setting: tuple[str, str, str] | None = None,
        *,
        hooks: Hooks = NO_HOOKS,
    ) -> dg.MaterializeResult[Any]:
        """Return the result of a stage after `dvc repro --single-item` of it.

        A stage in which nothing changed is answered at once, without starting a process.

        Args:
            context: Dagster's.
            name: Name of the stage.
            translator: Names stages and sources.
            readers: Read metadata that only the project understands.
            setting: File, parameter and value to set before it runs, if any.
            hooks: What only the project can tell.

        Raises:
            Failure: If the stage fails; it is retried only if the cause is transient.
        """
        root = Path(self.root)
        if setting is not None:
            set_param(root, *setting)
            context.log.info("%s: %s = %s", *setting)
        repository = open_repository(root)
        stage = repository.manifest.stage(name)
        if stage.problem:
            raise dg.Failure(f"stage '{name}' cannot run: {stage.problem}", allow_retries=False)
        repository.order_ignored(stage)
        reasons, data = repository.reasons(stage), repository.uncommitted(stage)
        report: dict[str, Any] = {"outcome": "unchanged", "seconds": 0.0}
        if reasons or data:
            context.log.info("changed: %s", ", ".join([*map(str, reasons), *data]))
            code, report = self.run_stage(context, stage, data)
            if code:
                key = translator.names(repository.manifest).stages[name]
                self._report_checks(context, key, stage, hooks, report)
                raise self._failure(stage, code, report)
            stage = repository.refresh().stage(name)
        else:
            context.log.info("stage '%s' did not change", name)
        if stage.lock is None:
            raise DvcBridgeError(
                f"{root / stage.file}: stage '{name}' ran and is not in dvc.lock. "
                f"`dvc status {name}` tells why."
            )
        return self._result(context, repository, stage, translator, readers, report, hooks)

    def _result(
        self,
        context: dg.AssetExecutionContext,
        repository: Repository,
        stage: Stage,
        translator: DvcTranslator,
        readers: Sequence[Reader],
        report: Mapping[str, Any],
        hooks: Hooks,
    ) -> dg.MaterializeResult[Any]:
        """Return what Dagster records of a stage that is as it should be."""
        manifest, lock = repository.manifest, stage.lock
        assert lock is not None  # noqa: S101 - the caller has looked
        keys = translator.names(manifest)
        for source in translator.sources_of(stage, manifest):
            version = recorded_source_version(lock, source)
            if observed_version(context.instance, keys.sources[source.path]) != version:
                seen = hooks.seen(repository.root, source)
                context.log_event(observe(source, keys.sources[source.path], version, seen))
        shown = stage_metadata(manifest, stage, readers, self.reports_url)
        inputs = reads(stage, lock, repository, translator)
        tags = version_tags(stage, lock, repository, translator, inputs)
        tags |= pointer_tags(context.instance, stage, lock, repository, translator)
        told = hooks.tags(repository.root, stage)
        if told:
            context.instance.add_run_tags(context.run_id, told)
        key = keys.stages[stage.name]
        return dg.MaterializeResult(
            asset_key=key,
            metadata=shown
            | {"dvc/outcome": report["outcome"], "duration_s": round(report["seconds"], 3)}
            | report.get("reported", {}),
            data_version=dg.DataVersion(tags["dagster/data_version"]),
            tags=tags | told,
            check_results=checks.of_stage(repository, translator, stage, in_run=True),
        )

    def run_stage(
        self, context: dg.AssetExecutionContext, stage: Stage, data: Sequence[str] = ()
    ) -> tuple[int, dict[str, Any]]:
        """Return DVC's exit code, the runner's report, and what the stage itself reported.

        Args:
            context: Dagster's.
            stage: The stage.
            data: The .dvc files whose changed data DVC takes in first, as `dvc repro` would.
        """
        # Definitions do without what runs stages; the executor imports it before it forks.
        from dagster_dvc.running.job import Job
        from dagster_dvc.running.launch import launch

        # DVC leaves outputs that persist in place.
        outs = [out for out in stage.outs if not out.is_kept]
        launched = launch(
            Path(self.root),
            Job(
                stage=stage.name,
                data=list(data),
                grace_s=self.grace_s,
                restore=[out.path for out in outs if out.is_cached],
                keep=[out.path for out in outs if not out.is_cached],
                pull=[*stage.deps, *data] if self.is_pulled else [],
                is_pushed=self.is_pushed,
                paths=[*stage.deps, *(out.path for out in stage.outs)],
            ),
        )
        try:
            code, session = self._wait(context, launched)
        finally:
            launched.end()
        messages = session.get_custom_messages()
        report = messages[-1] if messages else {"outcome": "failed", "tail": [], "is_busy": False}
        reported: dict[str, Any] = {}
        for result in session.get_reported_results():
            reported |= result.metadata or {}
        return code, {**report, "reported": reported}

    def _report_checks(
        self,
        context: dg.AssetExecutionContext,
        key: dg.AssetKey,
        stage: Stage,
        hooks: Hooks,
        report: Mapping[str, Any],
    ) -> None:
        """Record what a stage that failed found before it did.

        The steps of its checks do not come: they follow a stage that worked.
        """
        old = report.get("restored", [])
        for result in hooks.results(Path(self.root), key, stage, old):
            context.instance.report_runless_asset_event(checks.as_event(result))

    def _wait(self, context: dg.AssetExecutionContext, launched: "Launched") -> tuple[int, Any]:
        """Return the runner's exit code, and the session that took in what was reported."""
        with dg.open_pipes_session(
            context,
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        ) as session:
            try:
                launched.start(session.get_bootstrap_env_vars())
                code = launched.wait()
            except (DagsterExecutionInterruptedError, KeyboardInterrupt):
                launched.stop()
                raise
        return code, session

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
                "command": dg.MetadataValue.md(f"```sh\n{chr(10).join(stage.lines)}\n```"),
                "output": dg.MetadataValue.md(f"```\n{tail}\n```"),
                "brought back": ", ".join(report.get("restored", [])) or "nothing was missing",
            },
            allow_retries=is_transient,
        )
