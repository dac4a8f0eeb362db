"""The tables of a shop put to their contracts, in the order of what refers to what.

First the rows: a row that a rule quarantines is left out, and so is everything that refers to it,
because references are checked against what was accepted. Then what is left is judged as a whole,
and against the data accepted before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import schema
from smar.data.arrow_content import digest_of
from smar.data.membership import in_one_piece
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
from smar.validation.checker import Checker
from smar.validation.contract import STOP, WARN, Contract, check_severities
from smar.validation.kept_facts import KeptFacts
from smar.validation.kept_verdicts import KeptVerdicts
from smar.validation.pictures import PictureFacts
from smar.validation.previous import ItemSummary, Profile
from smar.validation.verdict import CheckResult


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
    pictures: Callable[[], PictureFacts],
    params: ValidateParams,
    before: Profile | None,
    kept: KeptFacts | None = None,
    verdicts: KeptVerdicts | None = None,
) -> Outcome:
    """Return what the tables of a shop are worth.

    Args:
        tables: The tables of `schema.TABLES`, as ingested.
        pictures: Returns facts about the pictures that items refer to.
        params: The bounds.
        before: Profile of the data accepted before, None for the first time.
        kept: Facts that an earlier run found of rows that are as they were.
        verdicts: Those that an earlier run came to.

    Raises:
        ParamsError: If a severity is given to a rule that cannot have it.
        DataError: If a rule could not be evaluated.
    """
    check_severities(contracts(params), params.severity)
    checker = Checker(params.severity, verdicts or KeptVerdicts())
    for name, expected in schema.TABLES.items():
        checker.check(
            columns.contract(name),
            partial(columns.column_table, tables[name], expected),
            source=checker.kept.source([f"data/{name}.parquet"]),
        )
    if any(not result.success for result in checker.results):
        return Outcome(checker, {}, None)  # rules over other columns would say nothing
    return _Run(tables, pictures, params, checker, kept or KeptFacts()).outcome(before)


_ITEMS = ("data/items.parquet", "data/images")
_LOG = ("data/queries.parquet", "data/searches.parquet")


class _Run:
    """One validation: what the tables need of each other.

    Which rows of a table are accepted follows from its file, and those of what it refers to; a
    frame is made when it is asked for first.
    """

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        pictures: Callable[[], PictureFacts],
        params: ValidateParams,
        checker: Checker,
        facts: KeptFacts,
    ) -> None:
        self.tables, self.params, self.check = tables, params, checker.check
        self.checker, self.pictures, self.facts = checker, pictures, facts
        self.kept: dict[str, NDArray[np.bool_]] = {}
        self.of_items, self.of_log = checker.kept.source(_ITEMS), checker.kept.source(_LOG)

    def outcome(self, before: Profile | None) -> Outcome:
        """Return the outcome of all contracts."""
        self._rows()
        click_through = self._whole()
        accepted = {name: self._accepted(name) for name in schema.TABLES}
        are_all = bool(self.kept["items"].all())
        summary = previous.summary_of(lambda: self._left("items"), self.facts, are_all=are_all)
        rows = {name: table.num_rows for name, table in accepted.items()}
        now = previous.profile_of(summary, rows, click_through)
        if before is not None:
            self._against(summary, now, before)
        return Outcome(self.checker, accepted, now)

    @cached_property
    def searched(self) -> queries.SearchQueries:
        """Which queries searches are of."""
        return queries.SearchQueries.of(self.tables["queries"], self.tables["searches"], self.facts)

    @cached_property
    def item_ids(self) -> pa.Array:
        """Ids of the accepted items."""
        ids, kept = in_one_piece(self.tables["items"]["item_id"]), self.kept["items"]
        return ids if kept.all() else ids.filter(pa.array(kept))

    @cached_property
    def items(self) -> pd.DataFrame:
        """The items, as their rules need them."""
        return items.prepare(self.tables["items"], self.pictures(), self.facts)

    @cached_property
    def queries(self) -> pd.DataFrame:
        """The queries, as their rules need them."""
        return queries.prepare(self.tables["queries"], self.searched, self.facts)

    @cached_property
    def searches(self) -> pd.DataFrame:
        """The searches, as their rules need them."""
        known = self.searched.knows(self.kept_first)
        return searches.prepare(self.tables["searches"], known, self.facts)

    @cached_property
    def engagements(self) -> pd.DataFrame:
        """The engagements, as their rules need them."""
        ids, of = self.item_ids.to_pandas(), self.tables
        kept = self.kept["searches"]
        return engagements.prepare(of["engagements"], of["searches"], kept, ids, self.facts)

    @cached_property
    def judgements(self) -> pd.DataFrame:
        """The judgements, as their rules need them."""
        ids = self.item_ids.to_pandas()
        return judgements.prepare(self.tables["judgements"], self._judged_ids(), ids)

    @cached_property
    def num_shown(self) -> NDArray[np.int64]:
        """The number of items that each search showed."""
        return self.searches["num_shown"].to_numpy(np.int64)

    @cached_property
    def by_place(self) -> pd.DataFrame:
        """The accepted engagements by place."""
        kept = self.kept["searches"]
        return engagements.place_table(self._left("engagements"), self.num_shown, kept)

    @cached_property
    def accepted_searches(self) -> NDArray[np.int64]:
        """The number of accepted searches of each query."""
        if self.kept["searches"].all():
            return self.queries["num_searches"].to_numpy()
        return queries.count_searches(self.queries, self.searched.counts(self.kept["searches"]))

    def _put(self, contract: Contract, source: str) -> NDArray[np.bool_]:
        """Check the rows of a table and return which are kept."""
        name = contract.table
        return self.check(contract, lambda: self._frame(name), self.tables[name], source)

    def _frame(self, name: str) -> pd.DataFrame:
        frame: pd.DataFrame = getattr(self, name)
        return frame

    def _left(self, name: str) -> pd.DataFrame:
        return items.those_left(self._frame(name), self.kept[name])

    def _rows(self) -> None:
        params, source = self.params, self.checker.kept.source
        self.kept["items"] = self._put(items.rows(params.items), self.of_items)
        self.kept["queries"] = self._put(queries.rows(params.queries), self.of_log)
        self.kept_first = self.kept["queries"]
        self.kept["searches"] = self._put(searches.rows(params.log), self.of_log)
        left = self.check(queries.left(), self._with_searches, source=self.of_log)
        self.kept["queries"] = self.kept["queries"] & left
        ids = digest_of(self.item_ids)
        self.of_shown = source(_LOG, ids) if params.log.as_of != "now" else ""
        self.of_engagements = source([*_LOG, "data/engagements.parquet"], ids)
        self.of_judgements = source([*_LOG, "data/judgements.parquet"], ids)
        self.kept["engagements"] = self._put(engagements.rows(params.log), self.of_engagements)
        self.kept["judgements"] = self._put(judgements.rows(params.judgements), self.of_judgements)

    def _with_searches(self) -> pd.DataFrame:
        """Return the queries, and whether each that had a search still has one."""
        frame, count = self.queries, self.accepted_searches
        logged = ~frame["split"].isin(JUDGED) & (frame["num_searches"] > 0) & self.kept_first
        return frame.assign(is_still_searched=~(logged & (count == 0)))

    def _judged_ids(self) -> pd.Series:
        accepted = self._left("queries")
        return accepted.loc[accepted["split"].isin(JUDGED), "query_id"]

    def _whole(self) -> float:
        """Judge what is left of each table as a whole and return the share of engaged searches."""
        params, kept = self.params, self.kept
        most = params.max_quarantined_frac
        self.check(
            items.whole(params.items, most),
            lambda: items.figures(self.items, kept["items"], self.facts),
            source=self.of_items,
        )
        self.check(
            queries.whole(params.queries, most),
            lambda: queries.figures(self.queries, kept["queries"]),
            source=self.of_log,
        )
        self.check(
            searches.whole(params.log, most),
            lambda: searches.figures(
                self.tables["searches"],
                self.searches,
                kept["searches"],
                self.item_ids,
                _as_of(params.log.as_of),
                self.facts,
            ),
            source=self.of_shown,
        )
        self.check(
            searches.days(params.log),
            lambda: searches.day_table(self._left("searches")["timestamp"]),
            source=self.of_log,
        )
        whole = engagements.whole(params.log, most)
        self.check(
            whole,
            lambda: engagements.figures(
                self.engagements,
                kept["engagements"],
                self.num_shown,
                kept["searches"],
                self.by_place,
            ),
            source=self.of_engagements,
        )
        self.check(
            engagements.places(params.log), lambda: self.by_place, source=self.of_engagements
        )
        self.check(
            judgements.whole(params.judgements, most),
            lambda: judgements.figures(self.judgements, kept["judgements"], self._judged_ids()),
            source=self.of_judgements,
        )
        return self.checker.verdicts[whole.name].figures["click_through"]

    def _against(self, summary: ItemSummary, now: Profile, before: Profile) -> None:
        """Compare the accepted data with the data accepted before."""
        params = self.params.previous
        self.check(previous.volume(params), lambda: previous.volume_table(now, before))
        self.check(previous.missing(params), lambda: previous.missing_table(now, before))
        self.check(previous.categories(), lambda: previous.category_table(summary, before))
        self.check(previous.whole(params), lambda: previous.figures(summary, now, before))

    def _accepted(self, name: str) -> pa.Table:
        """Return the rows kept of a table; queries with the searches that were accepted."""
        table, kept = self.tables[name], self.kept[name]
        if name == "queries" and not self.kept["searches"].all():
            place = table.schema.get_field_index("num_searches")
            count = pa.array(self.accepted_searches.astype(np.int64))
            table = table.set_column(place, table.schema.field(place), count)
        return table if kept.all() else table.filter(pa.array(kept))


def _as_of(text: str) -> pd.Timestamp | None:
    """Return the moment that freshness is measured from: the end of the day named."""
    if not text:
        return None
    if text == "now":
        return pd.Timestamp(datetime.now(UTC))
    return pd.Timestamp(text, tz="UTC") + pd.Timedelta(days=1)
