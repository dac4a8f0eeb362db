"""What the tables promise, as Great Expectations suites that read like a contract."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from smar.data.schema import ACTIONS, SPLITS
from smar.errors import DataError
from smar.params import ValidateParams

_EXAMPLES = 3


@dataclass(frozen=True)
class CheckResult:
    """One expectation and what was seen.

    Args:
        table: Name of the table.
        column: Column it is about, "" for the whole table.
        rule: What was expected, in words.
        success: Whether it held.
        observed: What was seen.
        examples: A few values that broke it.
    """

    table: str
    column: str
    rule: str
    success: bool
    observed: str
    examples: list[str] = field(default_factory=list)

    def problem(self) -> str:
        """Return the line that a person reads when it failed."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        shown = f" (for example {', '.join(self.examples)})" if self.examples else ""
        return f"{place}: expected {self.rule}; {self.observed}{shown}"


Contract = list[tuple[str, gxe.Expectation]]


def items_contract(params: ValidateParams) -> Contract:
    """Return what the item table promises."""
    return [
        (f"at least {params.min_items} rows",
         gxe.ExpectTableRowCountToBeBetween(min_value=params.min_items)),
        ("a value", gxe.ExpectColumnValuesToNotBeNull(column="item_id")),
        ("unique values", gxe.ExpectColumnValuesToBeUnique(column="item_id")),
        ("a title",
         gxe.ExpectColumnValueLengthsToBeBetween(
             column="title", min_value=1, mostly=1 - params.max_missing_title_frac)),
        (f"at most {params.max_title_chars} characters",
         gxe.ExpectColumnValueLengthsToBeBetween(column="title", max_value=params.max_title_chars)),
        (f"a price from 0 to {params.max_price:g}",
         gxe.ExpectColumnValuesToBeBetween(
             column="price", min_value=0, max_value=params.max_price)),
        (f"a picture for {params.min_picture_coverage:.0%} of the items or more",
         gxe.ExpectColumnMeanToBeBetween(
             column="has_picture", min_value=params.min_picture_coverage)),
    ]  # fmt: skip


def queries_contract(params: ValidateParams) -> Contract:
    """Return what the query table promises."""
    return [
        ("unique values", gxe.ExpectColumnValuesToBeUnique(column="query_id")),
        ("a text", gxe.ExpectColumnValueLengthsToBeBetween(column="query", min_value=1)),
        (f"one of {', '.join(SPLITS)}",
         gxe.ExpectColumnValuesToBeInSet(column="split", value_set=list(SPLITS))),
        ("a number of searches >= 0",
         gxe.ExpectColumnValuesToBeBetween(column="num_searches", min_value=0)),
        ("no validation query with the text of a test query",
         gxe.ExpectColumnValuesToBeInSet(column="leaks", value_set=[False])),
    ]  # fmt: skip


def searches_contract(params: ValidateParams) -> Contract:
    """Return what the search table promises."""
    return [
        ("unique values", gxe.ExpectColumnValuesToBeUnique(column="search_id")),
        ("a query of the query table",
         gxe.ExpectColumnValuesToBeInSet(column="knows_query", value_set=[True])),
        ("a value", gxe.ExpectColumnValuesToNotBeNull(column="timestamp")),
    ]  # fmt: skip


def engagements_contract(params: ValidateParams) -> Contract:
    """Return what the engagement table promises."""
    return [
        ("a search of the search table",
         gxe.ExpectColumnValuesToBeInSet(column="knows_search", value_set=[True])),
        ("an item of the item table",
         gxe.ExpectColumnValuesToBeInSet(column="knows_item", value_set=[True])),
        (f"one of {', '.join(ACTIONS)}",
         gxe.ExpectColumnValuesToBeInSet(column="action", value_set=list(ACTIONS))),
        ("a position >= 1", gxe.ExpectColumnValuesToBeBetween(column="position", min_value=1)),
        ("a value", gxe.ExpectColumnValuesToNotBeNull(column="timestamp")),
    ]  # fmt: skip


def judgements_contract(params: ValidateParams) -> Contract:
    """Return what the judgement table promises."""
    return [
        ("a query of the query table",
         gxe.ExpectColumnValuesToBeInSet(column="knows_query", value_set=[True])),
        ("an item of the item table",
         gxe.ExpectColumnValuesToBeInSet(column="knows_item", value_set=[True])),
        ("a grade >= 0", gxe.ExpectColumnValuesToBeBetween(column="grade", min_value=0)),
        ("each pair once",
         gxe.ExpectCompoundColumnsToBeUnique(column_list=["query_id", "item_id"])),
    ]  # fmt: skip


CONTRACTS: dict[str, Callable[[ValidateParams], Contract]] = {
    "items": items_contract,
    "queries": queries_contract,
    "searches": searches_contract,
    "engagements": engagements_contract,
    "judgements": judgements_contract,
}


def check_tables(tables: dict[str, pd.DataFrame], params: ValidateParams) -> list[CheckResult]:
    """Return the result of every expectation over the tables of `CONTRACTS`.

    Raises:
        DataError: If an expectation could not be evaluated (that is no verdict on the data).
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("tables")
    results = []
    for name, frame in _prepared(tables).items():
        contract = CONTRACTS[name](params)
        suite = gx.ExpectationSuite(name=name, expectations=[rule for _, rule in contract])
        batch = (
            source.add_dataframe_asset(name)
            .add_batch_definition_whole_dataframe("all")
            .get_batch(batch_parameters={"dataframe": frame})
        )
        outcome = batch.validate(suite, result_format="SUMMARY")
        for (words, _), result in zip(contract, outcome.results, strict=True):
            results.append(_read(name, words, result))
    return results


def _read(table: str, words: str, result: Any) -> CheckResult:
    raised = _exception(result.exception_info or {})
    if raised:
        raise DataError(
            f"{table}: '{words}' could not be evaluated: {raised}. The table lacks a column, or a "
            "column has another type than data formats say."
        )
    seen = result.result
    bad = seen.get("unexpected_count")
    observed = (
        f"{bad} of {seen['element_count']} rows are not so"
        if bad is not None
        else f"saw {seen.get('observed_value')}"
    )
    return CheckResult(
        table=table,
        column=str(result.expectation_config.kwargs.get("column", "")),
        rule=words,
        success=bool(result.success),
        observed=observed,
        examples=[repr(value) for value in (seen.get("partial_unexpected_list") or [])[:_EXAMPLES]],
    )


def _exception(info: dict[str, Any]) -> str:
    """Return the message of an exception raised while an expectation was evaluated, or ""."""
    # One entry, or one entry by metric.
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [entry["exception_message"] for entry in entries if entry.get("raised_exception")]
    return "; ".join(map(str, messages))


def _prepared(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables with the columns that references between them are checked by."""
    items, queries = tables["items"], tables["queries"]
    searches, engagements = tables["searches"], tables["engagements"]
    judgements = tables["judgements"]
    test_texts = queries.loc[queries["split"] == "test", "query"]
    leaks = (queries["split"] == "validation") & queries["query"].isin(test_texts)
    return {
        "items": items.drop(columns="image_ids").assign(
            has_picture=(items["image_ids"].str.len() > 0).astype(float)
        ),
        "queries": queries.assign(leaks=leaks),
        "searches": searches.drop(columns="shown").assign(
            knows_query=searches["query_id"].isin(queries["query_id"])
        ),
        "engagements": engagements.assign(
            knows_search=engagements["search_id"].isin(searches["search_id"]),
            knows_item=engagements["item_id"].isin(items["item_id"]),
        ),
        "judgements": judgements.assign(
            knows_query=judgements["query_id"].isin(queries["query_id"]),
            knows_item=judgements["item_id"].isin(items["item_id"]),
        ),
    }
