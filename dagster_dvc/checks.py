"""Thresholds that a stage declares for its own metrics, as checks of its asset.

    stages:
      train:
        meta:
          checks:
            accuracy: {min: 0.9}
            loss: {max: 0.5, severity: warn}

They are evaluated from the files of metrics, with the stage and also when it ran outside Dagster,
and for every partition of an asset that has some.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_dvc import names
from dagster_dvc.errors import SettingsError, list_problems
from dagster_dvc.manifest import Stage
from dagster_dvc.repository import Repository
from dagster_dvc.translator import DvcTranslator

_KEYS = {"min", "max", "severity", "blocking"}


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Bounds of a metric.

    Args:
        metric: Its name: the path through the file, "sets.test.recall".
        low: Least value that passes, None for no bound.
        high: Greatest value that passes, None for no bound.
        is_error: Whether a value outside is an error or a warning.
        is_blocking: Whether it stops what follows.
    """

    metric: str
    low: float | None = None
    high: float | None = None
    is_error: bool = True
    is_blocking: bool = False

    @property
    def name(self) -> str:
        """Return the name of the check."""
        return names.group_name(self.metric)

    @property
    def text(self) -> str:
        """Return the bounds in words."""
        bounds = [f"at least {self.low:g}"] if self.low is not None else []
        bounds += [f"at most {self.high:g}"] if self.high is not None else []
        return " and ".join(bounds)


def thresholds(stage: Stage) -> list[Threshold]:
    """Return what a stage declares under `meta.checks`; what is no mapping is somebody else's.

    Raises:
        SettingsError: If an entry is no threshold; all are listed.
    """
    declared = stage.meta.get("checks") or {}
    problems, found = [], []
    for metric, bounds in declared.items() if isinstance(declared, Mapping) else ():
        problem = _problem(bounds)
        if problem or not isinstance(bounds, Mapping):
            problems.append(f"{metric}: {problem}")
            continue
        found.append(
            Threshold(
                metric=str(metric),
                low=bounds.get("min"),
                high=bounds.get("max"),
                is_error=bounds.get("severity", "error") == "error",
                is_blocking=bool(bounds.get("blocking", False)),
            )
        )
    if problems:
        headline = (
            f"{stage.file}: stage '{stage.local_name}', meta.checks: write `metric: {{min: 0.9}}`, "
            "with min, max, severity (error, warn) and blocking:"
        )
        raise SettingsError(list_problems(headline, problems))
    return found


def _problem(bounds: Any) -> str:
    if not isinstance(bounds, Mapping):
        return f"'{bounds}' is no mapping"
    if unknown := set(bounds) - _KEYS:
        return f"unknown {', '.join(sorted(map(str, unknown)))}"
    limits = [bounds[key] for key in ("min", "max") if key in bounds]
    if not limits or any(isinstance(v, bool) or not isinstance(v, int | float) for v in limits):
        return "min or max has to be a number"
    if bounds.get("severity", "error") not in {"error", "warn"}:
        return f"severity '{bounds['severity']}' is neither error nor warn"
    return ""


def build_checks(key: dg.AssetKey, stages: Sequence[Stage]) -> list[dg.AssetCheckSpec]:
    """Return the checks of an asset: one for every metric that one of its stages has bounds for.

    They have no partitions, whatever the asset has: Dagster (1.13) keeps one result without a run
    for a partition, and fails on the second.
    """
    declared: dict[str, list[Threshold]] = {}
    for found in (one for stage in stages for one in thresholds(stage)):
        declared.setdefault(found.name, []).append(found)
    return [
        dg.AssetCheckSpec(
            name,
            asset=key,
            blocking=any(one.is_blocking for one in found),
            description=f"`{found[0].metric}` is {_bounds(found)}.",
        )
        for name, found in declared.items()
    ]


def _bounds(found: Sequence[Threshold]) -> str:
    texts = {one.text for one in found}
    return texts.pop() if len(texts) == 1 else "as each item says"


def of_stage(
    repository: Repository, translator: DvcTranslator, stage: Stage, *, in_run: bool = False
) -> list[dg.AssetCheckResult]:
    """Return how the metrics of a stage stand, or of all items of its asset; none before a run.

    In a run of the stage that of others stops nothing.
    """
    if stage.lock is None:
        return []
    manifest = repository.manifest
    items = translator.items_of(stage, manifest)
    day = "" if items else translator.partition_of(stage, manifest)
    key = translator.names(manifest).stages[stage.name]
    return [*evaluate(repository.root, key, stage, items, day, in_run=in_run)]


def evaluate(
    root: Path,
    key: dg.AssetKey,
    stage: Stage,
    items: Sequence[Stage] = (),
    day: str = "",
    *,
    in_run: bool = False,
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of every threshold, from the files of metrics as they are.

    Args:
        root: Root folder of the repository.
        key: Key of the asset.
        stage: The stage.
        items: The stages of its asset where that has items: a check speaks for all that have run.
        day: The day that the files are of, if the stage runs once a day.
        in_run: Whether it is asked in a run of the stage, where items that are no part of it must
            not stop what follows: a check that would is a warning if they alone fail.
    """
    own = {one.check_name: one for one in _results(root, key, stage)}
    if not items:
        said = f"{day}: " if day else ""
        yield from (one._replace(description=f"{said}{one.description}") for one in own.values())
        return
    by_check: dict[str | None, dict[str, dg.AssetCheckResult]] = {}
    for item in items:
        for one in _results(root, key, item) if item.lock else ():
            by_check.setdefault(one.check_name, {})[item.item] = one
    stopping = {one.name for item in items for one in thresholds(item) if one.is_blocking}
    for name, found in by_check.items():
        bad = {item: one for item, one in found.items() if not one.passed}
        is_error = any(one.severity == dg.AssetCheckSeverity.ERROR for one in bad.values())
        is_own = name in own and not own[name].passed
        is_error = is_error and (is_own or not in_run or name not in stopping)
        yield dg.AssetCheckResult(
            passed=not bad,
            asset_key=key,
            check_name=name,
            severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{i}: {one.description}" for i, one in (bad or found).items()),
            metadata={
                i: one.metadata["value"] for i, one in found.items() if "value" in one.metadata
            },
        )


def _results(root: Path, key: dg.AssetKey, stage: Stage) -> Iterator[dg.AssetCheckResult]:
    declared = thresholds(stage)
    if not declared:
        return
    values = dict(metrics_of(root, stage))
    for found in declared:
        value = values.get(found.metric)
        if value is None:
            passed, said = False, f"`{found.metric}` is in no file of metrics of the stage"
        else:
            is_low = found.low is not None and not value >= found.low
            is_high = found.high is not None and not value <= found.high
            passed = not is_low and not is_high
            said = f"{found.metric} is {value:g}; {found.text} is expected"
        yield dg.AssetCheckResult(
            passed=passed,
            asset_key=key,
            check_name=found.name,
            severity=dg.AssetCheckSeverity.ERROR if found.is_error else dg.AssetCheckSeverity.WARN,
            description=said,
            metadata={"value": value} if value is not None else {},
        )


def is_known(instance: dg.DagsterInstance, result: dg.AssetCheckResult) -> bool:
    """Return whether the last evaluation on record says the same as a result."""
    found = as_event(result)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(found.asset_key, found.check_name)]
    )
    known = [one.evaluation for one in record.values()]
    return any(
        (last.passed, last.severity, last.description)
        == (found.passed, found.severity, found.description)
        for last in known
        if isinstance(last, dg.AssetCheckEvaluation)
    )


def as_event(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """Return a result as an event that can be reported without a run."""
    assert result.asset_key is not None  # noqa: S101 - `evaluate` sets both
    assert result.check_name is not None  # noqa: S101
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def metrics_of(root: Path, stage: Stage) -> Iterator[tuple[str, float | int]]:
    """Yield the numbers of a stage's files of metrics; files that cannot be read are left out."""
    for out in stage.outs:
        file = root / out.path
        if out.kind != "metric" or not file.is_file():
            continue
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        yield from ((name, value) for _, name, value in numbers(content))


def numbers(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[int, str, float | int]]:
    """Yield depth, name and value of every number in nested mappings."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from numbers(value, (*above, str(key)))
    elif isinstance(content, bool):
        yield len(above), ".".join(above), int(content)
    elif isinstance(content, int | float) and above:
        yield len(above), ".".join(above), content
