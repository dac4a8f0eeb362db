"""params.yaml as frozen, strict objects: every key required, every unknown key refused.

One section per stage, and the sections `model`, `loss` and `gate` that several stages share.
All problems of the file are reported at once, before any work starts.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smar.errors import ParamsError, list_problems, near_match

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of every section: frozen, strict, without defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class DemoParams(Section):
    """The embedded demo shop."""

    num_items: Annotated[int, Field(ge=100)]
    num_searches: Annotated[int, Field(ge=100)]


class FeedParams(Section):
    """A product feed; the format follows from the file's ending."""

    file: str
    columns: dict[str, str]
    """Our column name -> the feed's, where they differ."""


class LogParams(Section):
    """A search log; paths relative to `ingest.folder`."""

    kind: Literal["none", "ubi", "table"]
    queries: str
    events: str
    columns: dict[str, str]


class JudgementParams(Section):
    """Judged test queries; paths relative to `ingest.folder`."""

    kind: Literal["none", "trec", "esci", "table"]
    queries: str
    labels: str
    columns: dict[str, str]


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
    validation_frac: Annotated[float, Field(ge=0, lt=1)]
    """Share of the log's distinct queries held out for choices."""


class ValidateParams(Section):
    min_items: Count
    max_missing_title_frac: Fraction
    min_picture_coverage: Fraction
    max_title_chars: Count
    max_price: Positive


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


class TextTowerParams(Section):
    pretrained: str
    """Local path or hub name of a `transformers` model; "" builds one from the keys below."""
    architecture: str
    hidden: Count
    layers: Count
    heads: Count
    pooling: Literal["cls", "mean"]
    max_tokens: Annotated[int, Field(ge=4, le=512)]


class ImageTowerParams(Section):
    pretrained: str
    """Local path or hub name of a `transformers` model; "" builds one from the keys below."""
    architecture: str
    hidden: Count
    layers: Count
    heads: Count
    patch: Count


class ModelParams(Section):
    dim: Count
    vocab_size: Annotated[int, Field(ge=256)]
    query: TextTowerParams
    text: TextTowerParams
    image: ImageTowerParams
    fusion: str


class LossParams(Section):
    kind: str
    temperature: Annotated[float, Field(gt=0, le=1)]


class GateParams(Section):
    kind: str
    visual_categories: list[str]
    """Category prefixes whose items are bought by eye; they label a query visual."""
    weight: NonNegative
    """Weight of the gate's own cross-entropy (lambda in the paper)."""


class TrainParams(Section):
    """What pretrain and finetune share."""

    steps: Count
    items_per_step: Annotated[int, Field(ge=2)]
    queries_per_item: Count
    learning_rate: Positive
    warmup_frac: Fraction
    weight_decay: NonNegative
    max_grad_norm: Positive
    precision: Literal["auto", "float32", "bfloat16"]
    checkpoint_s: Positive
    log_every: Count


class PretrainParams(TrainParams):
    alpha: NonNegative
    beta: NonNegative
    gamma: NonNegative
    real_frac: Fraction
    """Share of the training pairs that come from the log, where there is one."""


class FinetuneParams(TrainParams):
    alpha: NonNegative
    beta: NonNegative
    gamma: NonNegative
    """Weights of the pre-training tasks that are kept beside the gated loss."""


class EmbedParams(Section):
    batch_size: Count


class IndexParams(Section):
    exact_below: Annotated[int, Field(ge=0)]
    recall_target: Annotated[float, Field(gt=0, le=1)]
    recall_at: Count
    sample_queries: Count


class EvaluateParams(Section):
    cutoffs: Annotated[list[Count], Field(min_length=1)]
    relevant_grade: Count
    """A judged item counts as relevant for recall, precision, F1 and MRR from this grade on."""
    primary: str
    bootstrap: Annotated[int, Field(ge=100)]
    examples: Count


class PromoteParams(Section):
    margin: Fraction
    """Overall, the lower end of the 95 % interval of the difference stays above `-margin`."""
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
