"""The sections of params.yaml that models and training read; `params.py` holds the others."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Part = Literal["query", "text", "image", "fusion"]


class Section(BaseModel):
    """Base of every section: frozen, strict, without defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


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
    layers: Annotated[int, Field(ge=0)]
    """Transformer layers over the patches; 0 leaves each patch to itself."""
    heads: Count
    patch: Count
    stem: Literal["patch", "conv"]
    """How patches are made of pixels: one linear map, or small convolutions (from nothing only)."""
    pooling: Literal["cls", "mean"]

    @model_validator(mode="after")
    def _pools_what_it_learns(self) -> Self:
        if not self.layers and self.pooling == "cls":
            raise ValueError(
                "layers: 0 with pooling 'cls': without a layer the first token sees no patch; set "
                "pooling to mean"
            )
        return self


class QueryVectorParams(Section):
    """Several vectors per query (DPSR's query heads)."""

    count: Annotated[int, Field(ge=1, le=32)]
    """1 = a single one; above, a search is as many searches, merged by the best score."""
    beta: Positive
    """Training score of several: the mean of their scores z, weighted by softmax(z / beta)."""


class ModelParams(Section):
    dim: Count
    vocab_size: Annotated[int, Field(ge=256)]
    field_markers: bool
    """Item texts name their fields: "[TITLE] ... [BRAND] ..."."""
    shared_words: bool
    """Query and item text towers share one table of word vectors, so that what one learns of a word
    the other knows too."""
    query_vectors: QueryVectorParams
    query: TextTowerParams
    text: TextTowerParams
    image: ImageTowerParams
    fusion: str

    @model_validator(mode="after")
    def _check_shared_words(self) -> Self:
        towers = (self.query, self.text)
        if not self.shared_words:
            return self
        if any(tower.pretrained for tower in towers):
            raise ValueError(
                "shared_words with a pretrained text tower, which has word vectors of its own; set "
                "shared_words to false"
            )
        if self.query.hidden != self.text.hidden:
            raise ValueError(
                f"shared_words needs towers of one width, not query.hidden {self.query.hidden} and "
                f"text.hidden {self.text.hidden}; make them equal or set shared_words to false"
            )
        return self


class HingeParams(Section):
    """DPSR's pairwise hinge."""

    margin: Annotated[float, Field(gt=0, le=2)]


class ThreePartHingeParams(Section):
    """Bounds of the scores of engaged, shown and random pairs."""

    engaged: Annotated[float, Field(ge=-1, le=1)]
    shown: Annotated[float, Field(ge=-1, le=1)]
    random: Annotated[float, Field(ge=-1, le=1)]
    sharpness: NonNegative
    """Of the self-adversarial weights; 0 weighs all negatives alike."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.random <= self.shown <= self.engaged:
            raise ValueError("the bounds must rise: random <= shown <= engaged")
        return self


class GclParams(Section):
    """Weights by engagement grade."""

    power: NonNegative


class AdaptiveParams(Section):
    """JD's margin and temperature per negative."""

    margin: Annotated[float, Field(ge=0, le=2)]
    temperature: Annotated[float, Field(gt=0, le=1)]
    symmetric: NonNegative


class LossParams(Section):
    kind: str
    weights: Literal["fixed", "learned"]
    """Weights of the tasks: alpha, beta, gamma as they are, or as starting values."""
    temperature: Annotated[float, Field(gt=0, le=1)]
    """Of softmax and gcl."""
    hinge: HingeParams
    three_part_hinge: ThreePartHingeParams
    gcl: GclParams
    adaptive: AdaptiveParams


class CurriculumStages(Section):
    """Shares of the steps that each stage of the staged curriculum has."""

    alignment: NonNegative
    query: NonNegative
    fusion: NonNegative

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if self.alignment + self.query + self.fusion <= 0:
            raise ValueError("at least one share must be above 0")
        return self


class FrozenParts(Section):
    """Which parts of the model each stage leaves as they are."""

    alignment: list[Part]
    query: list[Part]
    fusion: list[Part]


class CurriculumParams(Section):
    kind: str
    shares: CurriculumStages
    frozen: FrozenParts


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
    field_mask_frac: Annotated[float, Field(ge=0, le=0.9)]
    """Chance that a field of an item's text is left out of a step; one field always stays."""
    misspelled_frac: Fraction
    """Chance that a query is misspelled when it is drawn."""
    precision: Literal["auto", "float32", "bfloat16"]
    checkpoint_s: Positive
    log_every: Count


class PretrainParams(TrainParams):
    alpha: NonNegative
    beta: NonNegative
    gamma: NonNegative
    real_frac: Fraction
    """Share of the training pairs that come from the log, where there is one."""


class NegativeParams(Section):
    """Hard negatives that join a step's items; all of them stand against all its queries."""

    impressed: Annotated[int, Field(ge=0)]
    """Items a step that were shown for one of its queries and not engaged."""
    mined: Annotated[int, Field(ge=0)]
    """Items a step that the pretrained model ranks high for one of its queries."""
    first_rank: Count
    last_rank: Annotated[int, Field(ge=1, le=1000)]
    """Mined items lie on these ranks; the very first are too often right."""

    @model_validator(mode="after")
    def _check_ranks(self) -> Self:
        if self.first_rank > self.last_rank:
            raise ValueError("first_rank must not exceed last_rank")
        return self


class FinetuneParams(TrainParams):
    alpha: NonNegative
    beta: NonNegative
    gamma: NonNegative
    """Weights of the pre-training tasks that are kept beside the gated loss."""
    negatives: NegativeParams
