"""params.yaml as frozen, strict objects: every key required, every unknown key refused.

One section per stage, and the sections `model`, `loss` and `gate` that several stages share.
All problems of the file are reported at once, before any work starts.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    ValidationError,
    field_validator,
    model_validator,
)

from smar.errors import ParamsError, list_problems, near_match
from smar.params.combinations import senseless
from smar.params.training import (
    AdaptiveParams,
    Count,
    CurriculumParams,
    CurriculumStages,
    FinetuneParams,
    Fraction,
    FrozenParts,
    GateParams,
    GclParams,
    HingeParams,
    ImageTowerParams,
    LossParams,
    ModelParams,
    NegativeParams,
    NonNegative,
    Positive,
    PretrainParams,
    QueryVectorParams,
    Section,
    TextTowerParams,
    ThreePartHingeParams,
    TrainParams,
)

__all__ = [
    "AdaptiveParams",
    "CurriculumParams",
    "CurriculumStages",
    "DemoParams",
    "EmbedParams",
    "EvaluateParams",
    "FeedParams",
    "FinetuneParams",
    "FrozenParts",
    "GateParams",
    "GclParams",
    "HingeParams",
    "ImageStoreParams",
    "ImageTowerParams",
    "IndexParams",
    "IngestParams",
    "JudgementParams",
    "LogParams",
    "LossParams",
    "ModelParams",
    "NegativeParams",
    "Params",
    "PretrainParams",
    "QueryVectorParams",
    "SynthesizeParams",
    "TextTowerParams",
    "ThreePartHingeParams",
    "TrainParams",
    "ValidateParams",
    "check_params",
    "load_params",
]


AboveOne = Annotated[float, Field(gt=1)]


class DemoParams(Section):
    """The embedded demo shop."""

    num_items: Annotated[int, Field(ge=100)]
    num_searches: Annotated[int, Field(ge=100)]


class FeedParams(Section):
    """A product feed; the format follows from the file's ending."""

    file: str
    columns: dict[str, str]
    """Our column name -> the feed's, where they differ."""


Meaning = Literal["click", "add_to_cart", "purchase", "impression", "none"]


class LogParams(Section):
    """A search log; paths relative to `ingest.folder`."""

    kind: Literal["none", "ubi", "table"]
    queries: str
    """A file, a folder or a glob; the same as events, or "", where one file holds both."""
    events: str
    columns: dict[str, str]
    actions: dict[str, Meaning] = Field(default_factory=dict)
    """What actions mean, by the name the log has, beside the names that are known."""
    positions: Literal["auto", 0, 1] = "auto"
    """What the first position is; "auto" finds it, by application."""
    dates: Literal["auto", "day_first", "month_first"] = "auto"
    """How 01/09/2026 is read; "auto" goes by the log's other dates, and never guesses."""


class JudgementParams(Section):
    """Judged test queries; paths relative to `ingest.folder`."""

    kind: Literal[
        "none", "trec", "beir", "esci", "table", "wands", "home_depot", "quepid", "opensearch"
    ]
    queries: str
    labels: str
    columns: dict[str, str]
    grades: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Grade by label, as the judgements write it."""
    scale: tuple[float, float] | Literal["auto"] = "auto"
    """Lowest and highest value, mapped on grades 0 to 3."""
    split: str = ""
    """Of tables with a column split: only this one."""
    locale: str = ""
    """Of tables with a column product_locale: only this one."""
    test_frac: Fraction = 0.5
    """Share of the judged queries that decide nothing and are never trained on."""

    @field_validator("scale", mode="plain")
    @classmethod
    def _check_scale(cls, value: object) -> tuple[float, float] | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, list | tuple) and len(value) == 2:
            low, high = value
            numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in value)
            if numbers and low < high:
                return float(low), float(high)
        raise ValueError('expected "auto" or two numbers, the lower first, such as [1, 3]')


class ImageStoreParams(Section):
    """How pictures are packed."""

    height: Annotated[int, Field(ge=8, le=1024)]
    width: Annotated[int, Field(ge=8, le=1024)]
    max_pixels: Count
    """A picture with more pixels is refused before it is decoded."""


class IngestParams(Section):
    source: Literal["demo", "feed"]
    folder: str
    demo: DemoParams
    feed: FeedParams
    log: LogParams
    judgements: JudgementParams
    images: ImageStoreParams
    max_quarantined_frac: Fraction
    """More bad rows than this share of any one input stop the stage."""
    max_unknown_frac: Fraction = 0.95
    """So do more rows that name an item or a search that is not there."""
    quarantine_limits: dict[str, Fraction] = Field(default_factory=dict)
    """In place of both for one input: {engagements: 0.2}."""
    validation_frac: Annotated[float, Field(ge=0, lt=1)]
    """Share of the log's distinct queries held out for choices."""


class ItemRules(Section):
    """Bounds of the rules over items."""

    min_rows: Count
    max_title_chars: Count
    max_description_chars: Count
    min_price: NonNegative
    max_price: Positive
    max_price_ratio: AboveOne
    """Of a price to the median of its category, or the other way round."""
    categories: list[str]
    """Top-level categories that there may be; [] allows any."""
    max_items_per_group: Count
    max_items_per_picture: Count
    min_picture_contrast: NonNegative
    """A picture whose pixels deviate less from their mean (0-255) is blank."""
    max_picture_difference: NonNegative
    """Pictures look the same below this difference of their thumbnails (0-255)."""
    min_picture_coverage: Fraction
    min_category_coverage: Fraction
    min_price_coverage: Fraction
    min_main_currency_frac: Fraction
    min_main_script_frac: Fraction
    min_distinct_titles_frac: Fraction
    max_copies_frac: Fraction


class QueryRules(Section):
    """Bounds of the rules over queries."""

    max_query_chars: Count
    min_main_script_frac: Fraction


class LogRules(Section):
    """Bounds of the rules over searches and engagements."""

    as_of: str
    """Date that freshness is measured from, "now" for the clock, "" not to measure it."""
    max_age_days: Count
    max_span_days: Count
    min_day_frac: Fraction
    max_day_ratio: AboveOne
    max_searches_per_client_day: Count
    max_shown: Count
    min_shown_known_frac: Fraction
    max_zero_result_frac: Fraction
    min_client_frac: Fraction
    max_position: Count
    max_days_after_search: Count
    max_engagements_per_search: Count
    min_click_through: Fraction
    max_click_through: Fraction
    max_place_click_through: Fraction
    max_lower_over_top: Positive

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

    max_grade: Count
    min_judged_frac: Fraction
    max_item_frac: Fraction


class PreviousRules(Section):
    """How far accepted data may differ from the data accepted before."""

    max_rows_lost_frac: Fraction
    max_rows_ratio: AboveOne
    max_missing_rise_frac: Fraction
    max_new_category_frac: Fraction
    min_items_kept_frac: Fraction
    max_price_shift: AboveOne
    max_language_shift: Fraction
    max_new_words_frac: Fraction
    max_click_through_shift: AboveOne


class ValidateParams(Section):
    severity: dict[str, Literal["stop", "quarantine", "warn"]]
    """Severity by rule, where it is to differ from the contract's."""
    max_quarantined_frac: Fraction
    """More quarantined rows than this share of any table stop the stage."""
    items: ItemRules
    queries: QueryRules
    log: LogRules
    judgements: JudgementRules
    previous: PreviousRules


class SynthesizeParams(Section):
    ratio: Annotated[int, Field(ge=0)]
    """Synthetic queries per real training query."""
    max_per_item: Count
    min_tokens: Count
    max_tokens: Count
    substring_frac: Fraction
    field_frac: Fraction
    """The rest are attribute combinations."""
    validation_frac: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.substring_frac + self.field_frac > 1:
            raise ValueError("substring_frac + field_frac must not exceed 1")
        if self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens must not exceed max_tokens")
        return self


class EmbedParams(Section):
    batch_size: Count


class IndexParams(Section):
    exact_below: Annotated[int, Field(ge=0)]
    recall_target: Annotated[float, Field(gt=0, le=1)]
    recall_at: Count
    sample_queries: Count
    word_share: float | Literal["auto"]
    """How much of an item's score its words are; "auto": what validation queries find most with."""

    @field_validator("word_share", mode="plain")
    @classmethod
    def _check_share(cls, value: object) -> float | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
            return float(value)
        raise ValueError('expected "auto" or a number from 0 to below 1')


class EvaluateParams(Section):
    cutoffs: Annotated[list[Count], Field(min_length=1)]
    relevant_grade: Count
    """A judged item counts as relevant for recall, precision, F1 and MRR from this grade on."""
    primary: str
    bootstrap: Annotated[int, Field(ge=100)]
    examples: Count


class PromoteParams(Section):
    guard: Annotated[list[str], Field(min_length=1)]
    """Metrics that a candidate must not be worse in."""
    margin: Fraction
    """Overall, the lower end of the 95 % interval of the difference stays above `-margin`."""
    max_loss: Fraction
    """A candidate that is worse overall by more, for sure, is refused."""
    anchor: Literal["best", "current"]
    """Whether the best release so far is compared with too, or the current one alone."""
    slice_margin: Fraction
    """A protected slice that is worse by more, for sure, refuses the candidate."""
    level: Annotated[float, Field(gt=0, lt=1)]
    protected: list[str]
    min_queries: Count
    min_index_recall: Fraction
    max_latency_ms: Positive
    max_latency_ratio: Annotated[float, Field(ge=1)]
    examples: Annotated[int, Field(ge=0)]


class DriftParams(Section):
    window_days: Positive
    level: Annotated[float, Field(gt=0, lt=1)]
    min_rows: Count
    max_distance: Positive
    max_share_rise: Fraction
    max_new_category: Fraction
    max_not_indexed: Fraction
    max_click_change: Positive
    max_quality_fall: Fraction
    max_auc: Annotated[float, Field(ge=0.5, le=1)]


class Params(Section):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=0)]
    """CPU threads of torch and faiss; 0 = as many as the process may use."""
    model: ModelParams
    loss: LossParams
    gate: GateParams
    curriculum: CurriculumParams
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    synthesize: SynthesizeParams
    pretrain: PretrainParams
    finetune: FinetuneParams
    embed: EmbedParams
    index: IndexParams
    evaluate: EvaluateParams
    promote: PromoteParams
    drift: DriftParams

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if problems := senseless(self):
            raise ValueError("; ".join(problems))
        return self


def load_params(path: Path) -> Params:
    """Return the parameters of a params.yaml.

    Raises:
        ParamsError: If the file is missing or not YAML, or any key is unknown, missing, of the
            wrong type or out of range; the message lists all of them.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: not found. Run smar in the folder that holds params.yaml.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    return check_params(content, str(path))


def check_params(content: object, where: str) -> Params:
    """Return parameters from plain dicts, lists and scalars; `where` names their origin."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = [_describe(p["type"], p["loc"], p["msg"], p["input"]) for p in error.errors()]
        headline = f"{where}: {len(problems)} problem(s); nothing was started:"
        raise ParamsError(list_problems(headline, problems)) from error


def _describe(kind: str, location: tuple[int | str, ...], message: str, value: object) -> str:
    key = ".".join(str(part) for part in location)
    if not key and kind == "value_error":  # a combination of sections
        return message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"{key}: unknown key.{near_match(str(location[-1]), _keys_at(location[:-1]))}"
    if kind == "missing":
        return f"{key}: missing."
    return f"{key}: {message}, got {value!r}."


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the section at `location` has."""
    section: type[BaseModel] = Params
    for part in location:
        fields = {(field.alias or name): field for name, field in section.model_fields.items()}
        field = fields.get(str(part))
        inner = field.annotation if field else None
        candidates = [inner, *get_args(inner)]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not models:
            return []
        section = models[0]
    return [field.alias or name for name, field in section.model_fields.items()]
