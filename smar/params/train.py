"""The sections `pretrain` and `finetune`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from smar.params.section import Count, Fraction, NonNegative, Positive, Section


class AugmentParams(Section):
    """How pictures differ from step to step, where pixels are trained on; 0 everywhere: not."""

    flip: Fraction = 0.0
    """Chance that a picture is mirrored, left to right."""
    crop: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Largest share of a picture's height and width that is cut away, at a random place; the rest
    is scaled to the whole."""
    jitter: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Largest change of brightness and of contrast, as a share; hues stay what they are."""

    @property
    def changes(self) -> bool:
        """Whether any picture is changed."""
        return bool(self.flip or self.crop or self.jitter)


class TrainParams(Section):
    """What pretrain and finetune share."""

    steps: Count = 240
    """Training steps."""
    items_per_step: Annotated[int, Field(ge=2)] = 128
    """Items of a step; each is a negative of the others' queries."""
    chunk_items: Annotated[int, Field(ge=0)] = 0
    """Items that go through the towers at once: above 0 a step takes the memory of so many and has
    the gradients of all its items (GradCache), for one more forward pass; 0: all at once."""
    queries_per_item: Count = 4
    """Queries drawn for each item of a step."""
    learning_rate: Positive = 0.002
    """Highest learning rate."""
    pretrained_rate: Fraction = 0.02
    """Learning rate of what came with a pretrained model, or was aligned with one by
    pretrain.start, as a share of learning_rate."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of a pretrained layer, as a share of that of the layer above it; 1 = equal."""
    head_start: Fraction = 0.0
    """Share of the steps in which what is new learns alone, before pretrained parts move."""
    recompute: bool = False
    """Pretrained towers compute their states again for gradients: less memory, more time."""
    warmup_frac: Fraction = 0.1
    """Share of the steps in which the rate rises from zero."""
    weight_decay: NonNegative = 0.01
    """Decay of weights, biases and norms apart."""
    max_grad_norm: Positive = 1.0
    """Gradients are clipped to this norm."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of a moving average of the weights, which is what is validated and saved: 0.99 is a
    mean over about the last 100 steps; 0: the last weights."""
    field_mask_frac: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Chance that a field of an item's text is left out of a step; one field always stays."""
    word_mask_frac: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Chance that a word of an item's text is left out of a step, so that pictures teach what texts
    forget to say; one word always stays."""
    misspelled_frac: Fraction = 0.2
    """Chance that a query is misspelled when it is drawn."""
    augment: AugmentParams = AugmentParams()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the towers; auto measures which of the first two is faster. float16 is for
    CUDA devices without bfloat16 (before Ampere); its loss is scaled."""
    checkpoint_s: Positive = 30
    """Seconds between checkpoints."""
    log_every: Count = 10
    """Steps between logged values."""


class PretrainParams(TrainParams):
    """Multi-task pre-training."""

    start: Literal["random", "aligned", "contrasted"] = "random"
    """What is new starts at random, or aligned: words and pictures of a frozen model in one space,
    by canonical correlations over the catalogue, computed in seconds; or contrasted: the same, and
    then by some passes of contrast over its words and pictures, a millisecond an item."""
    alpha: NonNegative = 1.0
    """Weight of the text task, Q.S_t."""
    beta: NonNegative = 0.1
    """Weight of the image task, Q.S_i."""
    gamma: NonNegative = 1.0
    """Weight of the multimodal task, Q.S_m."""
    alignment: NonNegative = 0.0
    """Weight of the image-text contrastive task (ITC): each item of a step finds its picture by its
    text among those of the others, S_t.S_i, and its text by its picture; 0: not."""
    real_frac: Fraction = 0.5
    """Share of the training pairs that come from the log, where there is one."""

    def settings(self) -> dict[str, Any]:
        """Return what decides the weights, in plain JSON types; a start only where one is made."""
        own = self.model_dump()
        return {name: value for name, value in own.items() if (name, value) != ("start", "random")}


class NegativeParams(Section):
    """Hard negatives that join a step's items; all of them stand against all its queries."""

    impressed: Annotated[int, Field(ge=0)] = 0
    """Items a step that were shown for one of its queries and not engaged."""
    mined: Annotated[int, Field(ge=0)] = 0
    """Items a step that the pretrained model ranks high for one of its queries."""
    first_rank: Count = 10
    """Best rank of a mined item; the very first are too often right."""
    last_rank: Annotated[int, Field(ge=1, le=1000)] = 100
    """Mined items lie on these ranks; the very first are too often right."""
    margin: Fraction = 0.0
    """A mined item scores below the mean of the query's own items by at least this share of it;
    0.05 is common, 0 does not look. With guided an item of the batch has to lie below it too."""
    guided: bool = False
    """An item that the pretrained model finds nearer to a query than the query's own item is no
    negative of it (GIST); one that was shown and not engaged stays one."""

    @model_validator(mode="after")
    def _check_ranks(self) -> Self:
        if self.first_rank > self.last_rank:
            raise ValueError("first_rank must not exceed last_rank")
        return self


class TeacherParams(Section):
    """A larger model, or scores that somebody made, whose ranking is learned beside the clicks."""

    name: str = ""
    """backbones/NAME.model holds a trained model (models/retriever of another project), one of
    texts and pictures as `smar backbone` took it in, or scores.parquet (query, item_id, score),
    such as a cross-encoder's; "" for none."""
    weight: Positive = 1.0
    """Weight of its loss beside those of clicks."""
    temperature: Positive = 0.05
    """Softmax temperature of the student's scores, which are in [-1, 1]."""
    teacher_temperature: Positive = 0.05
    """That of the teacher's: 0.05 for vectors, about 1 for the logits of a cross-encoder."""
    joined: Annotated[int, Field(ge=0)] = 32
    """Items of the file that join a step, so that what it scores meets; a model scores all."""


class FinetuneParams(TrainParams):
    """Click fine-tuning."""

    steps: Count = 200
    """Training steps."""
    gated: NonNegative = 1.0
    """Weight of the gated loss, that of (1-g) Q.S_t + g Q.S_m; its g is the gate's, or a header's
    that clicks teach where the gate is fitted later. 0: towers learn by the tasks below alone; with
    gamma above 0 and alpha and beta 0 the picture always counts while they learn."""
    alpha: NonNegative = 0.3
    """Weight of the text task, Q.S_t, on clicks."""
    beta: NonNegative = 0.3
    """Weight of the image task, Q.S_i, on clicks."""
    gamma: NonNegative = 0.3
    """Weight of the multimodal task, Q.S_m, on clicks."""
    alignment: NonNegative = 0.0
    """Weight of the image-text contrastive task on clicks, as of pretrain; 0: not."""
    searched_words: Annotated[int, Field(ge=0, le=32)] = 0
    """Words of an item at most that its text tower reads beside its text: of the log's queries
    that led to it, in a step without what the step's own queries say. 0: texts alone."""
    searched_mask_frac: Fraction = 0.5
    """Chance that an item does not show one of these words in a step, so that pictures and texts
    learn to say what no click has told yet."""
    negatives: NegativeParams = NegativeParams()
    teacher: TeacherParams = TeacherParams()

    @property
    def teaches_pictures(self) -> bool:
        """Whether S_i learns by itself, so that `S_t . S_i` can tell wrong pictures."""
        return bool(self.beta or self.alignment)

    def settings(self) -> dict[str, Any]:
        """Return what decides the weights, in plain JSON types; some only where they count."""
        unused = set() if self.alignment else {"alignment"}
        if self.gated == 1:
            unused.add("gated")
        if not self.searched_words:
            unused |= {"searched_words", "searched_mask_frac"}
        return self.model_dump(exclude=unused)
