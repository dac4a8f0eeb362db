"""The words contracts are written in: rules with a severity over Great Expectations.

A contract is a list of rules over one frame: a table with derived columns beside its own, or a
small frame of figures about it. Rules over rows may quarantine them; rules over figures cannot.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import great_expectations.expectations as gxe
import pandas as pd

from smar.data.row_rules import Known, RowRule
from smar.errors import ParamsError, list_problems, near_match

STOP = "stop"  # nothing is accepted until it is mended
QUARANTINE = "quarantine"  # the rows are left out, the rest goes on
WARN = "warn"  # told, nothing else


@dataclass(frozen=True)
class Rule:
    """One line of a contract.

    Args:
        name: Its name in its table; "items.price_range" is the full one.
        severity: What happens when it is broken.
        words: What is expected, as the words after "expected".
        expectation: The same for Great Expectations.
        shows: Column whose values are reported for broken rows, "" for the expectation's own.
    """

    name: str
    severity: str
    words: str
    expectation: gxe.Expectation
    shows: str = ""

    @property
    def column(self) -> str:
        """The column a reader of the report looks at."""
        return self.shows or str(self.expectation.column)


@dataclass(frozen=True)
class Contract:
    """The rules of one frame.

    Args:
        table: Table that the rules are about.
        part: What the frame holds of it, for example "rows" or "days".
        rules: The rules.
        key: Column that names a row, "" where the frame's rows have no name.
    """

    table: str
    part: str
    rules: list[Rule]
    key: str = ""

    @property
    def name(self) -> str:
        """Name of the suite."""
        return f"{self.table}-{self.part}"

    @property
    def is_over_rows(self) -> bool:
        """Whether broken rows can be left out."""
        return self.part.startswith("rows")

    def with_severities(self, severities: Mapping[str, str]) -> "Contract":
        """Return the contract with other severities for the rules named."""
        rules = [
            replace(rule, severity=severities.get(f"{self.table}.{rule.name}", rule.severity))
            for rule in self.rules
        ]
        return replace(self, rules=rules)


def check_severities(contracts: Iterable[Contract], severities: Mapping[str, str]) -> None:
    """Raise unless every severity of the parameters is for a rule that can have it.

    Raises:
        ParamsError: Lists unknown rules, and rules without rows that cannot quarantine.
    """
    known = {
        f"{contract.table}.{rule.name}": contract.is_over_rows
        for contract in contracts
        for rule in contract.rules
    }
    problems = [
        f"{name}: there is no such rule.{near_match(name, known)}"
        for name in severities
        if name not in known
    ]
    problems += [
        f"{name}: is not about single rows and cannot quarantine; expected stop or warn."
        for name, severity in severities.items()
        if severity == QUARANTINE and not known.get(name, True)
    ]
    if problems:
        headline = "validate.severity in params.yaml (docs/validation.md lists the rules):"
        raise ParamsError(list_problems(headline, problems))


def promised(rules: Iterable[RowRule], severity: str = QUARANTINE) -> list[Rule]:
    """Return the rules that readers hold rows to as well, for frames with `promises`."""
    return [
        Rule(rule.short_name, severity, rule.expected, holds(rule.short_name), rule.column)
        for rule in rules
    ]


def promises(frame: pd.DataFrame, rules: Iterable[RowRule], known: Known) -> dict[str, pd.Series]:
    """Return a column of claims for each rule, by its short name."""
    return {rule.short_name: ~rule.is_broken(frame, known) for rule in rules}


def holds(column: str) -> gxe.Expectation:
    """Expect a column of claims to be true."""
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[True])


def one_of(column: str, values: Iterable[str]) -> gxe.Expectation:
    """Expect values of a vocabulary."""
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))


def between(column: str, least: float | None = None, most: float | None = None) -> gxe.Expectation:
    """Expect numbers from `least` to `most`, both allowed; missing ones are not judged."""
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least, max_value=most)


def chars(column: str, least: int, most: int | None = None) -> gxe.Expectation:
    """Expect texts of a length."""
    return gxe.ExpectColumnValueLengthsToBeBetween(column=column, min_value=least, max_value=most)


def matches(column: str, pattern: str) -> gxe.Expectation:
    """Expect texts in which a regular expression is found."""
    return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=pattern)


def lacks(column: str, pattern: str) -> gxe.Expectation:
    """Expect texts in which a regular expression is not found."""
    return gxe.ExpectColumnValuesToNotMatchRegex(column=column, regex=pattern)
