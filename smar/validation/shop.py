"""The tables of a shop put to their contracts, in the order of what refers to what.

First the rows: a row that a rule quarantines is left out, and so is everything that refers to it,
because references are checked against what was accepted. Then what is left is judged as a whole,
and against the data accepted before.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import schema
from smar.data.schema import JUDGED
from smar.params import ValidateParams
from smar.validation import (
    columns,
    engagements,
    items,
    judgements,
    previous,
    queries,
    searches,
)
from smar.validation.checker import Checker, CheckResult
from smar.validation.contract import STOP, WARN, Contract, check_severities
from smar.validation.kept_facts import KeptFacts
from smar.validation.pictures import PictureFacts
from smar.validation.previous import Profile


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Args:
        checker: Results, suites and the rows left out.
        accepted: The tables without the rows left out; empty when a table has not its columns.
        profile: Profile of the accepted tables, None when there are none.
    """

    checker: Checker
    accepted: dict[str, pa.Table]
    profile: Profile | None

    @property
    def results(self) -> list[CheckResult]:
        """All results."""
        return self.checker.results

    @property
    def stops(self) -> list[CheckResult]:
        """The broken rules that stop the stage."""
        return [result for result in self.results if not result.success and result.severity == STOP]

    @property
    def warnings(self) -> list[CheckResult]:
        """The broken rules that only warn."""
        return [result for result in self.results if not result.success and result.severity == WARN]


def contracts(params: ValidateParams) -> list[Contract]:
    """Return every contract there is."""
    most = params.max_quarantined_frac
    return [
        *(columns.contract(table) for table in schema.TABLES),
        items.rows(params.items),
        items.whole(params.items, most),
        queries.rows(params.queries),
        queries.left(),
        queries.whole(params.queries, most),
        searches.rows(params.log),
        searches.whole(params.log, most),
        searches.days(params.log),
        engagements.rows(params.log),
        engagements.whole(params.log, most),
        engagements.places(params.log),
        judgements.rows(params.judgements),
        judgements.whole(params.judgements, most),
        previous.volume(params.previous),
        previous.missing(params.previous),
        previous.categories(),
        previous.whole(params.previous),
    ]


def validate_shop(
    tables: Mapping[str, pa.Table],
    pictures: PictureFacts,
    params: ValidateParams,
    before: Profile | None,
    kept: KeptFacts | None = None,
) -> Outcome:
    """Return what the tables of a shop are worth.

    Args:
        tables: The tables of `schema.TABLES`, as ingested.
        pictures: Facts about the pictures that items refer to.
        params: The bounds.
        before: Profile of the data accepted before, None for the first time.
        kept: Facts that an earlier run found of rows that are as they were.

    Raises:
        ParamsError: If a severity is given to a rule that cannot have it.
        DataError: If a rule could not be evaluated.
    """
    check_severities(contracts(params), params.severity)
    checker = Checker(params.severity)
    for name, expected in schema.TABLES.items():
        checker.check(columns.contract(name), columns.column_table(tables[name], expected))
    if any(not result.success for result in checker.results):
        return Outcome(checker, {}, None)  # rules over other columns would say nothing
    return _Run(tables, pictures, params, checker, kept or KeptFacts()).outcome(before)


class _Run:
    """One validation: what the tables need of each other."""

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        pictures: PictureFacts,
        params: ValidateParams,
        checker: Checker,
        facts: KeptFacts,
    ) -> None:
        self.tables, self.params, self.check = tables, params, checker.check
        self.checker, self.pictures, self.facts = checker, pictures, facts
        self.frames: dict[str, pd.DataFrame] = {}
        self.kept: dict[str, NDArray[np.bool_]] = {}
        self.searched = queries.Searched.of(tables["queries"], tables["searches"], facts)

    def outcome(self, before: Profile | None) -> Outcome:
        """Return the outcome of all contracts."""
        self._rows()
        click_through = self._whole()
        accepted = {name: self._accepted(name) for name in schema.TABLES}
        words = previous.title_words(self._left("items"))
        now = previous.profile_of(
            self._left("items"),
            words,
            {name: table.num_rows for name, table in accepted.items()},
            click_through,
            self.facts,
        )
        if before is not None:
            self._against(now, before, words)
        return Outcome(self.checker, accepted, now)

    def _put(self, contract: Contract, frame: pd.DataFrame) -> None:
        """Check the rows of a table and remember which are kept."""
        self.frames[contract.table] = frame
        self.kept[contract.table] = self.check(contract, frame, self.tables[contract.table])

    def _left(self, name: str) -> pd.DataFrame:
        return self.frames[name][self.kept[name]]

    def _rows(self) -> None:
        tables, params = self.tables, self.params
        found = items.prepare(tables["items"], self.pictures, self.facts)
        self._put(items.rows(params.items), found)
        self._put(
            queries.rows(params.queries),
            queries.prepare(tables["queries"], self.searched, self.facts),
        )
        self._put(
            searches.rows(params.log),
            searches.prepare(
                tables["searches"], self.searched.knows(self.kept["queries"]), self.facts
            ),
        )
        self._leave_out_queries_without_searches()
        item_ids = self._left("items")["item_id"]
        self._put(
            engagements.rows(params.log),
            engagements.prepare(
                tables["engagements"],
                tables["searches"],
                self.kept["searches"],
                item_ids,
                self.facts,
            ),
        )
        self._put(
            judgements.rows(params.judgements),
            judgements.prepare(tables["judgements"], self._judged_ids(), item_ids),
        )

    def _leave_out_queries_without_searches(self) -> None:
        """Count the accepted searches of every query; those left without any are left out."""
        frame = self.frames["queries"]
        count = frame["num_searches"].to_numpy()
        if not self.kept["searches"].all():
            by_id = self.searched.counts(self.kept["searches"])
            count = queries.count_searches(frame, by_id)
        logged = ~frame["split"].isin(JUDGED) & (frame["num_searches"] > 0) & self.kept["queries"]
        frame["is_still_searched"] = ~(logged & (count == 0))
        self.kept["queries"] = self.kept["queries"] & self.check(queries.left(), frame)
        frame["accepted_searches"] = count

    def _judged_ids(self) -> pd.Series:
        accepted = self._left("queries")
        return accepted.loc[accepted["split"].isin(JUDGED), "query_id"]

    def _whole(self) -> float:
        """Judge what is left of each table as a whole and return the share of engaged searches."""
        params, kept, frames = self.params, self.kept, self.frames
        most = params.max_quarantined_frac
        item_ids = self._left("items")["item_id"]
        self.check(
            items.whole(params.items, most),
            items.figures(frames["items"], kept["items"], self.facts),
        )
        self.check(
            queries.whole(params.queries, most),
            queries.figures(frames["queries"], kept["queries"]),
        )
        search_figures = searches.figures(
            self.tables["searches"],
            frames["searches"],
            kept["searches"],
            item_ids,
            _as_of(params.log.as_of),
            self.facts,
        )
        self.check(searches.whole(params.log, most), search_figures)
        day_table = searches.day_table(self._left("searches")["timestamp"])
        self.check(searches.days(params.log), day_table)
        num_shown = frames["searches"]["num_shown"].to_numpy(np.int64)
        by_place = engagements.place_table(self._left("engagements"), num_shown, kept["searches"])
        done = engagements.figures(
            frames["engagements"], kept["engagements"], num_shown, kept["searches"], by_place
        )
        self.check(engagements.whole(params.log, most), done)
        self.check(engagements.places(params.log), by_place)
        self.check(
            judgements.whole(params.judgements, most),
            judgements.figures(frames["judgements"], kept["judgements"], self._judged_ids()),
        )
        return float(done["click_through"].iloc[0])

    def _against(self, now: Profile, before: Profile, words: Counter[str]) -> None:
        """Compare the accepted data with the data accepted before."""
        params, accepted = self.params.previous, self._left("items")
        self.check(previous.volume(params), previous.volume_table(now, before))
        self.check(previous.missing(params), previous.missing_table(now, before))
        self.check(previous.categories(), previous.category_table(accepted, before))
        self.check(previous.whole(params), previous.figures(accepted, words, now, before))

    def _accepted(self, name: str) -> pa.Table:
        """Return the rows kept of a table; queries with the searches that were accepted."""
        table, kept = self.tables[name], self.kept[name]
        if name == "queries" and not self.kept["searches"].all():
            place = table.schema.get_field_index("num_searches")
            count = pa.array(self.frames[name]["accepted_searches"].to_numpy(np.int64))
            table = table.set_column(place, table.schema.field(place), count)
        return table if kept.all() else table.filter(pa.array(kept))


def _as_of(text: str) -> pd.Timestamp | None:
    """Return the moment that freshness is measured from: the end of the day named."""
    if not text:
        return None
    if text == "now":
        return pd.Timestamp(datetime.now(UTC))
    return pd.Timestamp(text, tz="UTC") + pd.Timedelta(days=1)
