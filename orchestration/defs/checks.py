"""What smar's stages checked of their own work, shown on the asset it is about.

Nothing is computed here: the outcome is read from what the stage wrote, so that it is the one that
`dvc repro` users see, and a check can also be executed by itself. A blocking check that fails keeps
what follows from running. `outcomes` is asked where no step of a check runs: the stage failed, or
ran outside of Dagster.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc import manifest, open_repository
from orchestration.project import ROOT
from orchestration.records import read_record
from smar.declaration import Stage
from smar.stages import declared

TABLES = ("items", "queries", "searches", "engagements", "judgements")
_NOT_MADE = "not made, or an earlier check stopped the stage: run `dvc repro {stage}`"
_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            f"{table}_contract",
            asset="validate",
            blocking=True,
            description=f"The accepted table `{table}` keeps the contract in `smar/validation/`.",
        )
        for table in TABLES
    ],
    can_subset=True,  # else none could be executed without the stage
)
def contracts(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """What the stage found; a broken rule that only warns does not block."""
    asked = {key.name for key in context.selected_asset_check_keys}
    found = {result.check_name: result for result in _contracts(ROOT)}
    missing = dg.AssetCheckResult(passed=False, description=_NOT_MADE.format(stage="validate"))
    for name in sorted(asked):
        result = found.get(name, missing)
        yield result._replace(asset_key=dg.AssetKey("validate"), check_name=name)


def _contracts(root: Path) -> Iterator[dg.AssetCheckResult]:
    """Yield how every contract stands in the report of validate, nothing if there is none."""
    from smar.paths import Paths

    report = Paths(root).validation_report
    results = read_record(report / "results.json")
    if not results:
        return
    rules = results["rules"]
    stale = _changed_inputs(root, report)
    for table in TABLES:
        own = [rule for rule in rules if rule["table"] == table]
        broken = [r for r in own if not r["success"] and r["severity"] != "quarantine"]
        stops = [rule for rule in broken if rule["severity"] == "stop"]
        problems = [f"{r['column']}: expected {r['expected']}; {r['observed']}" for r in broken]
        if stale:
            problems.insert(0, f"{', '.join(stale)} changed since: materialise validate again")
        columns = ("rule", "severity", "expected", "observed", "broken", "success")
        yield dg.AssetCheckResult(
            asset_key="validate",
            check_name=f"{table}_contract",
            passed=not problems,
            severity=_ERROR if stops or stale else _WARN,
            description="; ".join(problems),
            metadata={
                "rules": len(own),
                "broken": len(broken),
                "stops": len(stops),
                "quarantined": sum(r["broken"] for r in own if r["severity"] == "quarantine"),
                "results": _rows(own, columns),
            },
        )


def outcomes(
    root: Path, stage: manifest.Stage, old: Collection[str]
) -> Iterator[dg.AssetCheckResult]:
    """Yield what a stage found in its own work; nothing of one that never got as far."""
    own = declared().get(stage.name)
    if stage.name == "validate" and "reports/validation" not in old:
        yield from _contracts(root)
    elif stage.name == "promote" and "reports/promote" not in old:
        yield from _promotion(root)
    elif (
        own
        and own.checks
        and f"reports/outcomes/{stage.name}.json" not in old
        and _records(root, stage.name)
    ):
        yield from _declared(root, stage.name, own, sorted(own.checks))


def _changed_inputs(root: Path, report: Path) -> list[str]:
    """Return the inputs that are not those the report is about, or are gone."""
    from smar.artifacts import digest
    from smar.errors import ArtifactError

    inputs = read_record(report / "manifest.json")["inputs"]
    changed = []
    for name, then in inputs.items():
        try:
            now = digest(root / name)
        except ArtifactError:
            now = ""
        if now != then:
            changed.append(name)
    return changed


def _checks_of(name: str, stage: Stage) -> dg.AssetChecksDefinition:
    """Return the checks that a stage declares, as it left them in its metrics file."""

    @dg.multi_asset_check(
        name=f"{name}_checks",
        specs=[
            dg.AssetCheckSpec(
                check, asset=name, blocking=content.blocking, description=content.text
            )
            for check, content in stage.checks.items()
        ],
        can_subset=True,  # else none could be executed without the stage
    )
    def found(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        asked = sorted(key.name for key in context.selected_asset_check_keys)
        yield from _declared(ROOT, name, stage, asked)

    return found


def _declared(
    root: Path, name: str, stage: Stage, asked: Iterable[str]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the outcome of some of a stage's checks as the stage left it."""
    records = _records(root, name)
    stale = [problem for out in stage.writes for problem in _stale(root, out)]
    for check in asked:
        record = records.get(check, {"passed": False, "text": _NOT_MADE.format(stage=name)})
        rows = record.get("rows", [])
        yield dg.AssetCheckResult(
            asset_key=name,
            check_name=check,
            passed=record["passed"] and not stale,
            severity=_ERROR if stage.checks[check].blocking else _WARN,
            description="; ".join([*stale, record["text"]]),
            metadata=dict(record.get("figures", {}))
            | ({"rows": _rows(rows, tuple(rows[0]))} if rows else {}),
        )


def _records(root: Path, stage: str) -> dict[str, dict[str, Any]]:
    """Return what a stage's checks found, by name; nothing if it never ran."""
    from smar.paths import Paths

    content = read_record(Paths(root).outcome(stage))
    return {record["name"]: record for record in content.get("checks", [])}


def _stale(root: Path, out: str) -> Iterator[str]:
    """Yield why an output is not the one that was checked, if its inputs are others since."""
    made = (root / out / "manifest.json").is_file()
    if made and (changed := _changed_inputs(root, root / out)):
        yield f"{', '.join(changed)} changed since {out} was made: materialise it again"


@dg.asset_check(asset="promote")
def candidate_was_promoted() -> dg.AssetCheckResult:
    """The rules let the candidate become the release."""
    missing = dg.AssetCheckResult(passed=False, description=_NOT_MADE.format(stage="promote"))
    return next(_promotion(ROOT), missing)


def _promotion(root: Path) -> Iterator[dg.AssetCheckResult]:
    """Yield what promote decided, nothing if it never did."""
    content = read_record(root / "reports/promote/decision.json")
    if not content:
        return
    yield dg.AssetCheckResult(
        asset_key="promote",
        check_name="candidate_was_promoted",
        passed=content["verdict"] == "promoted",
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(content["reasons"]) or f"verdict: {content['verdict']}",
        metadata={"rules": _rows(content["rules"], ("name", "passed", "text"))},
    )


def _rows(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> dg.TableMetadataValue:
    records = [dg.TableRecord({name: str(row.get(name, "")) for name in columns}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table(records, schema=schema)


CHECKS: dict[str, list[dg.AssetChecksDefinition]] = {
    name: [_checks_of(name, stage)] for name, stage in declared().items() if stage.checks
} | {"validate": [contracts], "promote": [candidate_was_promoted]}


@dg.definitions
def defs() -> dg.Definitions:
    """Return the checks of the stages that dvc.yaml has."""
    stages = open_repository(ROOT).manifest.stages
    return dg.Definitions(
        asset_checks=[check for stage, own in CHECKS.items() if stage in stages for check in own]
    )
