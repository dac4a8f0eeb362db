"""The section `validate`: bounds and severities of the contracts."""

from datetime import date
from typing import Literal

from pydantic import field_validator

from smar.errors import near_match
from smar.params import names
from smar.params.section import AboveOne, Count, Fraction, NonNegative, Positive, Section


class ItemRules(Section):
    """Bounds of the rules over items."""

    min_rows: Count = 50
    """Fewest items of a shop."""
    max_title_chars: Count = 500
    """Longest title."""
    max_description_chars: Count = 20000
    """Longest description."""
    min_price: NonNegative = 0.01
    """Lowest price."""
    max_price: Positive = 10000000
    """Highest price."""
    max_price_ratio: AboveOne = 50
    """Of a price to the median of its category, or the other way round."""
    categories: list[str] = []
    """Top-level categories that there may be; [] allows any."""
    max_items_per_group: Count = 500
    """Most items of one group of variants."""
    max_items_per_picture: Count = 20
    """Most items of different groups whose main pictures look the same."""
    min_picture_contrast: NonNegative = 2.0
    """A picture whose pixels deviate less from their mean (0-255) is blank."""
    max_picture_difference: NonNegative = 2.0
    """Pictures look the same below this difference of their thumbnails (0-255)."""
    min_picture_coverage: Fraction = 0.0
    """Least share of items with a picture."""
    min_category_coverage: Fraction = 0.5
    """Least share of items with a category."""
    min_price_coverage: Fraction = 0.0
    """Least share of items with a price."""
    min_main_currency_frac: Fraction = 0.95
    """Least share of prices in the most frequent currency."""
    min_main_script_frac: Fraction = 0.9
    """Least share of titles in the most frequent script."""
    min_distinct_titles_frac: Fraction = 0.2
    """Least share of distinct titles."""
    max_copies_frac: Fraction = 0.05
    """Largest share of items that equal another in all but their id."""


class QueryRules(Section):
    """Bounds of the rules over queries."""

    max_query_chars: Count = 200
    """Longest query."""
    min_main_script_frac: Fraction = 0.8
    """Least share of queries in the most frequent script."""


class LogRules(Section):
    """Bounds of the rules over searches and engagements."""

    as_of: str = "2026-10-01"
    """Date that freshness is measured from, "now" for the clock, "" not to measure it."""
    max_age_days: Count = 7
    """Most days between the last search and as_of."""
    max_span_days: Count = 730
    """Most days of a search from the middle of the log."""
    min_day_frac: Fraction = 0.1
    """Fewest searches of a day, over the median day."""
    max_day_ratio: AboveOne = 10
    """Most searches of a day, over the median day."""
    max_searches_per_client_day: Count = 300
    """Most searches of one visitor on one day."""
    max_shown: Count = 1000
    """Most items shown for a search."""
    min_shown_known_frac: Fraction = 0.5
    """Least share of shown items that the catalogue has."""
    max_zero_result_frac: Fraction = 0.5
    """Largest share of searches that showed nothing."""
    min_client_frac: Fraction = 0.5
    """Least share of searches with a visitor."""
    max_position: Count = 1000
    """Lowest place of an engagement."""
    max_days_after_search: Count = 30
    """Most days from a search to its engagement."""
    max_engagements_per_search: Count = 200
    """Most engagements of a search."""
    min_click_through: Fraction = 0.001
    """Least share of searches with an engagement."""
    max_click_through: Fraction = 0.98
    """Largest share of searches with an engagement."""
    max_place_click_through: Fraction = 0.9
    """Largest click-through of one place."""
    max_lower_over_top: Positive = 1.0
    """Clicks on places from 8 on, over those on places 1 to 3."""

    @field_validator("as_of")
    @classmethod
    def _check_date(cls, value: str) -> str:
        if value not in {"", "now"}:
            try:
                date.fromisoformat(value)
            except ValueError as error:
                raise ValueError('expected a date such as "2026-10-01", "now" or ""') from error
        return value


class JudgementRules(Section):
    """Bounds of the rules over judgements."""

    max_grade: Count = 10
    """Highest grade."""
    min_judged_frac: Fraction = 0.5
    """Least share of judged queries with an item that the catalogue has."""
    max_item_frac: Fraction = 0.2
    """Largest share of the judgements that one item has."""


class PreviousRules(Section):
    """How far accepted data may differ from the data accepted before."""

    max_rows_lost_frac: Fraction = 0.3
    """Largest share of rows that may be gone."""
    max_rows_ratio: AboveOne = 3
    """Most rows over those before."""
    max_missing_rise_frac: Fraction = 0.1
    """Largest rise of a column's share of missing values."""
    max_new_category_frac: Fraction = 0.3
    """Largest share of items in categories that are new."""
    min_items_kept_frac: Fraction = 0.3
    """Least share of the items before that are still there."""
    max_price_shift: AboveOne = 2
    """Largest ratio of the median price to the one before, either way."""
    max_language_shift: Fraction = 0.25
    """Largest share of titles that changed their script."""
    max_new_words_frac: Fraction = 0.25
    """Largest share of words that no title had before."""
    max_click_through_shift: AboveOne = 2
    """Largest ratio of the click-through to the one before, either way."""


class ValidateParams(Section):
    """Bounds and severities of the contracts."""

    severity: dict[str, Literal["stop", "quarantine", "warn"]] = {}
    """Severity by rule, where it is to differ from the contract's."""
    max_quarantined_frac: Fraction = 0.05
    """More quarantined rows than this share of any table stop the stage."""
    items: ItemRules = ItemRules()
    queries: QueryRules = QueryRules()
    log: LogRules = LogRules()
    judgements: JudgementRules = JudgementRules()
    previous: PreviousRules = PreviousRules()

    @field_validator("severity")
    @classmethod
    def _check_rules(cls, value: dict[str, str]) -> dict[str, str]:
        known = names.rules()
        problems = [
            f"there is no rule '{name}' (docs/validation.md lists them).{near_match(name, known)}"
            for name in value
            if name not in known
        ]
        if problems:
            raise ValueError(*problems)
        return value
