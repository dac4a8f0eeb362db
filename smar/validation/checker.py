"""Contracts put to frames by Great Expectations: what held, what did not, and in which rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.schema import table_of
from smar.errors import DataError
from smar.validation.contract import QUARANTINE, Contract, Rule
from smar.validation.gx_costs import judged_once
from smar.validation.kept_verdicts import KeptVerdicts
from smar.validation.verdict import LEFT_OUT, CheckResult, Verdict

_EXAMPLES = 3
_LONGEST_VALUE = 200


@dataclass
class Checker:
    """Puts contracts to frames and keeps what came out.

    Args:
        severities: Severity by full rule name, where it differs from the contract's.
        kept: Verdicts that an earlier run came to.
    """

    severities: Mapping[str, str]
    kept: KeptVerdicts = field(default_factory=KeptVerdicts)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _source: Any = None

    @property
    def results(self) -> list[CheckResult]:
        """All results, in the order in which contracts were put."""
        return [result for verdict in self.verdicts.values() for result in verdict.results]

    def check(
        self,
        contract: Contract,
        frame: Callable[[], pd.DataFrame],
        table: pa.Table | None = None,
        source: str = "",
    ) -> NDArray[np.bool_]:
        """Return which rows of a frame are to be kept: all but those that rules quarantine.

        Args:
            contract: The rules.
            frame: Returns what they are put to; it is not asked where the verdict is known.
            table: The same rows, with the columns that are only shown of rows that break a rule.
            source: Of `KeptVerdicts.source`, for all that the frame follows from; "" if that
                cannot be told.

        Raises:
            DataError: If a rule could not be evaluated (that is no verdict on the data).
        """
        verdict = self.kept.read(contract.name, source)
        if verdict is None:
            own = contract.with_severities(self.severities)
            verdict = self._judge(own, frame().reset_index(drop=True), table)
            verdict.source = source
        self.verdicts[contract.name] = verdict
        keep = np.ones(verdict.rows, bool)
        keep[verdict.left_out["row"].to_numpy() - 1] = False
        return keep

    def left_out(self) -> pd.DataFrame:
        """Return the rows left out, as in `LEFT_OUT`, in a stable order."""
        found = [LEFT_OUT.empty_table(), *(each.left_out for each in self.verdicts.values())]
        whole: pd.DataFrame = pa.concat_tables(found).to_pandas()
        return whole.sort_values(["table", "row", "rule"], kind="stable", ignore_index=True)

    def _judge(self, contract: Contract, frame: pd.DataFrame, table: pa.Table | None) -> Verdict:
        judged, found = self._run(contract, frame)
        results, left_out = [], [LEFT_OUT.empty_table()]
        for rule, result in zip(contract.rules, found, strict=True):
            bad = np.asarray(result.result.get("unexpected_index_list") or [], np.int64)
            seen = _seen(contract, rule, frame, table) if len(bad) else frame
            results.append(_read(contract, rule, result.success, bad, seen))
            if rule.severity == QUARANTINE and len(bad):
                left_out.append(table_of(_rows_of(contract, rule, bad, seen), LEFT_OUT))
        is_figures = len(frame) == 1 and not contract.key
        numbers = frame.select_dtypes("number").iloc[0].items() if is_figures else ()
        figures = {str(name): float(number) for name, number in numbers}
        return Verdict(results, len(frame), pa.concat_tables(left_out), figures, judged)

    def _run(self, contract: Contract, frame: pd.DataFrame) -> tuple[tuple[Any, Any], list[Any]]:
        """Return what Great Expectations says, suite and outcome, and of each rule."""
        notes = [f"{rule.name} ({rule.severity}): {rule.words}" for rule in contract.rules]
        expected = [
            rule.expectation.copy(update={"notes": note})
            for rule, note in zip(contract.rules, notes, strict=True)
        ]
        suite = gx.ExpectationSuite(name=contract.name, expectations=expected)
        with judged_once():
            if self._source is None:
                context = gx.get_context(mode="ephemeral")
                context.variables.progress_bars = {"globally": False}
                self._source = context.data_sources.add_pandas("tables")
            definition = self._source.add_dataframe_asset(contract.name)
            batch = definition.add_batch_definition_whole_dataframe("all").get_batch(
                batch_parameters={"dataframe": frame}
            )
            outcome = batch.validate(suite, result_format="COMPLETE")
        by_note = {result.expectation_config.notes: result for result in outcome.results}
        found = [by_note[note] for note in notes]  # it puts rules of a column side by side
        for rule, result in zip(contract.rules, found, strict=True):
            _raise_if_not_evaluated(contract, rule, result)
        return (suite, outcome), found


def _seen(
    contract: Contract, rule: Rule, frame: pd.DataFrame, table: pa.Table | None
) -> pd.DataFrame:
    """Return a frame with the columns that are shown of rows that break a rule."""
    lacking = {rule.column, contract.key} - {*frame.columns, ""}
    if table is None or not lacking:
        return frame
    return frame.assign(**{name: table[name].to_pandas().array for name in sorted(lacking)})


def _read(
    contract: Contract, rule: Rule, success: bool, bad: NDArray[np.int64], frame: pd.DataFrame
) -> CheckResult:
    shown = [_describe(contract, rule, int(row), frame) for row in bad[:_EXAMPLES]]
    one_row = len(frame) == 1 and not contract.is_over_rows
    observed = f"{len(bad):,} of {len(frame):,} are not so"
    if one_row and rule.column in frame:
        observed = f"saw {_text(frame[rule.column].iloc[0])}"
        shown = []
    return CheckResult(
        rule=f"{contract.table}.{rule.name}",
        table=contract.table,
        column=rule.column,
        severity=rule.severity,
        expected=rule.words,
        success=bool(success),
        broken=len(bad),
        rows=len(frame),
        observed=observed,
        examples=shown,
    )


def _describe(contract: Contract, rule: Rule, row: int, frame: pd.DataFrame) -> str:
    value = _text(frame[rule.column].iloc[row])
    if not contract.key:
        return value
    key = _text(frame[contract.key].iloc[row])
    if not contract.is_over_rows:
        return f"{key}: {value}"
    return f"row {row + 1}, '{key}': {value!r}"


def _rows_of(
    contract: Contract, rule: Rule, bad: NDArray[np.int64], frame: pd.DataFrame
) -> pd.DataFrame:
    rows = frame.iloc[bad]
    return pd.DataFrame(
        {
            "table": contract.table,
            "row": bad + 1,
            "key": rows[contract.key].astype(str).to_numpy(),
            "column": rule.column,
            "rule": f"{contract.table}.{rule.name}",
            "value": [_text(value) for value in rows[rule.column]],
        }
    )


def _text(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _raise_if_not_evaluated(contract: Contract, rule: Rule, result: Any) -> None:
    info = result.exception_info or {}
    # One entry, or one entry by metric.
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [str(e["exception_message"]) for e in entries if e.get("raised_exception")]
    if raised:
        raise DataError(
            f"{contract.table}.{rule.name}: could not be evaluated: {'; '.join(raised)}. This is "
            "no verdict on the data but an error in the rule; report it with this message."
        )
