"""What makes a row unfit wherever it is met: each rule once, with its words.

The readers of `smar.sources` leave out rows that break one, and validation puts the same rules to
the tables that it is given, whoever wrote them: its own bounds are in `smar.validation`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from smar.data.membership import are_ascending, is_in

# Ids that exist, by the column that names them.
Known = Mapping[str, pd.Series | set[str] | pa.Array]
UNKNOWN = "is unknown"
"""How a reason ends that says: the row is sound and names something that is not there."""


@dataclass(frozen=True)
class RowRule:
    """One thing that every row of a table promises.

    Args:
        name: Full name, "table.rule".
        column: Column of the table that the rule is about.
        expected: What is expected, as the words after "expected".
        reason: Why a row that breaks it is left out.
        is_broken: Returns the rows that break it as a mask over the frame's index. A frame holds
            the table's columns; `Known` names the ids of other tables.
    """

    name: str
    column: str
    expected: str
    reason: str
    is_broken: Callable[[pd.DataFrame, Known], pd.Series]

    @property
    def table(self) -> str:
        """The table that it is about."""
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        """Its name within its table."""
        return self.name.split(".")[1]


def _empty(column: str) -> Callable[[pd.DataFrame, Known], pd.Series]:
    """Return the rule's test: no character that can be seen."""
    return lambda frame, _: frame[column].str.strip() == ""


def _again(*columns: str) -> Callable[[pd.DataFrame, Known], pd.Series]:
    """Return the rule's test: an earlier row has the same values; the first one is kept."""

    def is_again(frame: pd.DataFrame, _: Known) -> pd.Series:
        if len(columns) == 1 and are_ascending(pa.array(frame[columns[0]])):
            return pd.Series(False, index=frame.index)
        return frame.duplicated(list(columns))

    return is_again


def _unknown(column: str) -> Callable[[pd.DataFrame, Known], pd.Series]:
    """Return the rule's test: an id that its table does not have."""
    return lambda frame, known: ~is_in(frame[column], known[column])


ITEMS = (
    RowRule("items.id_given", "item_id", "an id", "id is empty", _empty("item_id")),
    RowRule("items.title_given", "title", "a title", "title is empty", _empty("title")),
    RowRule("items.id_unique", "item_id", "each id once", "id is repeated", _again("item_id")),
)
QUERIES = (
    RowRule("queries.text_given", "query", "a text", "query is empty", _empty("query")),
    RowRule("queries.id_given", "query_id", "an id", "query id is empty", _empty("query_id")),
    RowRule("queries.id_unique", "query_id", "each id once",
            "query id is repeated with another text", _again("query_id")),
)  # fmt: skip
SEARCHES = (RowRule("searches.id_given", "search_id", "an id", "id is empty", _empty("search_id")),)
ENGAGEMENTS = (
    # `search`: row of the search that the engagement belongs to, below 0 for none.
    RowRule("engagements.search_known", "search_id", "a search of the accepted search table",
            f"search {UNKNOWN}", lambda frame, _: frame["search"] < 0),
    RowRule("engagements.item_given", "item_id", "an item's id", "no item is named",
            _empty("item_id")),
    RowRule("engagements.item_known", "item_id", "an item of the accepted item table",
            f"item {UNKNOWN}", _unknown("item_id")),
)  # fmt: skip
JUDGEMENTS = (
    RowRule("judgements.query_known", "query_id", "a judged query of the accepted query table",
            f"query {UNKNOWN}", _unknown("query_id")),
    RowRule("judgements.item_known", "item_id", "an item of the accepted item table",
            f"item {UNKNOWN}", _unknown("item_id")),
    RowRule("judgements.judged_once", "item_id", "each pair once",
            "pair is judged twice", _again("query_id", "item_id")),
)  # fmt: skip
