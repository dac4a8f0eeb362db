"""The section `model`: towers and what joins them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from smar.errors import near_match
from smar.params import names
from smar.params.kinds import FUSIONS, known
from smar.params.section import Count, Positive, Section


def _known_architecture(value: str) -> str:
    known = names.architectures()
    if value.replace("_", "-") not in known:
        raise ValueError(
            f"transformers has no architecture '{value}'; expected a model type such as bert or "
            f"vit.{near_match(value, known)}"
        )
    return value


Architecture = Annotated[str, AfterValidator(_known_architecture)]


_MAY_DIFFER = ("max_tokens", "prefix")  # of towers that are one: what their tokenizers hold
Unfreeze = Literal["all", "none", "lora"] | Annotated[int, Field(ge=1)]


class TextTowerParams(Section):
    """A text tower: a Transformer over words."""

    pretrained: str = ""
    """A model in backbones/, as `smar backbone` put it there; "" takes that of model.pretrained, or
    builds one from the keys below."""
    unfreeze: Unfreeze = "all"
    """What of a pretrained model is trained: all, none, so many of its last layers, or lora (small
    matrices beside its own, merged after training); none is read once, by the stage features."""
    architecture: Architecture = "bert"
    """Model type of `transformers` that is built from nothing."""
    hidden: Count = 192
    """Width of the hidden states."""
    layers: Count = 1
    """Transformer layers."""
    heads: Count = 12
    """Attention heads; they divide hidden."""
    pooling: Literal["auto", "mean", "cls", "last", "own"] = "auto"
    """What stands for the text: the mean over its tokens, its first or last one, or what a
    pretrained model pools by itself; auto: as it was trained, from nothing the mean."""
    prefix: str = "auto"
    """What every text begins with; auto: what a pretrained model was trained with."""
    max_tokens: Annotated[int, Field(ge=4, le=512)] = 48
    """Words and parts of words that a text is cut to."""


class QueryTowerParams(TextTowerParams):
    """The query tower; queries are shorter than item texts."""

    max_tokens: Annotated[int, Field(ge=4, le=512)] = 24
    """Words and parts of words that a query is cut to."""


class ImageTowerParams(Section):
    """The picture tower: a Transformer over patches."""

    pretrained: str = ""
    """A model in backbones/, as `smar backbone` put it there; "" takes that of model.pretrained, or
    builds one from the keys below."""
    unfreeze: Unfreeze = "all"
    """What of a pretrained model is trained: all, none, so many of its last layers, or lora (small
    matrices beside its own, merged after training). None is read once, by the stage features, and
    layers of hidden and heads below learn from that."""
    architecture: Architecture = "vit"
    """Model type of `transformers` that is built from nothing."""
    hidden: Count = 192
    """Width of the hidden states."""
    layers: Annotated[int, Field(ge=0)] = 1
    """Transformer layers over the patches; 0 leaves each patch to itself; over a frozen model 0 is
    an MLP on the mean of its places, the cheapest that learns from it."""
    heads: Count = 12
    """Attention heads; they divide hidden."""
    patch: Count = 16
    """Side of a square patch in pixels; it divides the picture's height and width."""
    stem: Literal["patch", "conv"] = "conv"
    """How patches are made of pixels: one linear map, or small convolutions (from nothing only)."""
    pooling: Literal["auto", "mean", "cls", "own"] = "auto"
    """What stands for the picture: the mean over its patches, its first token, or what a pretrained
    model pools by itself; auto: as it was trained, from nothing the mean."""

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

    count: Annotated[int, Field(ge=1, le=32)] = 1
    """1 = a single one; above, a search is as many searches, merged by the best score."""
    beta: Positive = 0.1
    """Training score of several: the mean of their scores z, weighted by softmax(z / beta)."""


class ModelParams(Section):
    """The towers and what joins them."""

    pretrained: str = ""
    """A model in backbones/ for every tower that names none: one of texts and pictures, such as
    CLIP or SigLIP, whose towers start aligned."""
    dim: Count = 192
    """Length of every embedding."""
    matryoshka: list[Count] = []
    """Lengths at which embeddings are trained to be searched, dim among them, such as
    [192, 96, 48]: the loss is the mean over these; [] trains dim alone."""
    vocab_size: Annotated[int, Field(ge=256)] = 8192
    """Words and parts of words of the tokenizer that is trained on the catalogue."""
    field_markers: bool = False
    """Item texts name their fields: "[TITLE] ... [BRAND] ..."."""
    shared_words: bool = True
    """Query and item text towers share one table of word vectors, so that what one learns of a word
    the other knows too."""
    shared_tower: bool = False
    """Queries and item texts go through one tower, the text tower, as sentence encoders do it."""
    query_vectors: QueryVectorParams = QueryVectorParams()
    query: QueryTowerParams = QueryTowerParams()
    text: TextTowerParams = TextTowerParams()
    image: ImageTowerParams = ImageTowerParams()
    fusion: str = "cross_attention"
    """Name of a file in smar/models/fusion/: how text and pictures become S_m; its parameters are
    in the section fusion."""

    def source_of(self, tower: str) -> str:
        """Return the pretrained model that a tower starts from, "" for none."""
        own: str = getattr(self, tower).pretrained
        return own or self.pretrained

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        lengths = self.matryoshka
        if not lengths:
            return self
        if self.dim not in lengths or max(lengths) > self.dim or len(set(lengths)) < len(lengths):
            raise ValueError(
                f"matryoshka: {lengths} with dim {self.dim}; expected different lengths up to dim "
                f"and dim among them, such as {[self.dim, self.dim // 2, self.dim // 4]}"
            )
        return self

    @field_validator("fusion")
    @classmethod
    def _check_fusion(cls, value: str) -> str:
        return known(FUSIONS)(value)

    @model_validator(mode="after")
    def _check_shared_words(self) -> Self:
        if not self.shared_words:
            return self
        sources = [self.source_of(tower) for tower in ("query", "text")]
        if sources[0] != sources[1]:
            raise ValueError(
                "shared_words with text towers that start from different models "
                f"({' and '.join(repr(s) if s else 'nothing' for s in sources)}), each with word "
                "vectors of its own; set shared_words to false"
            )
        if self.query.unfreeze != self.text.unfreeze:
            raise ValueError(
                f"shared_words with query.unfreeze {self.query.unfreeze!r} and text.unfreeze "
                f"{self.text.unfreeze!r}: one table of word vectors cannot move for the one and "
                "stay for the other; make them equal or set shared_words to false"
            )
        if sources[0]:
            return self
        if self.query.hidden != self.text.hidden:
            raise ValueError(
                f"shared_words needs towers of one width, not query.hidden {self.query.hidden} and "
                f"text.hidden {self.text.hidden}; make them equal or set shared_words to false"
            )
        return self

    @model_validator(mode="after")
    def _check_shared_tower(self) -> Self:
        if not self.shared_tower:
            return self
        if self.query_vectors.count > 1:
            raise ValueError(
                f"shared_tower with query_vectors.count {self.query_vectors.count}: an item text "
                "has one vector; set count to 1 or shared_tower to false"
            )
        if self.query.max_tokens > self.text.max_tokens:
            raise ValueError(
                f"shared_tower with query.max_tokens {self.query.max_tokens} above text.max_tokens "
                f"{self.text.max_tokens}, which the tower has places for; make it at most that"
            )
        if "lora" in (self.query.unfreeze, self.text.unfreeze):
            raise ValueError(
                "shared_tower with unfreeze 'lora': the small matrices of a tower are merged into "
                "that tower alone; set unfreeze to a number of layers or shared_tower to false"
            )
        differ = [
            f"query.{name} {of_query!r} and text.{name} {of_text!r}"
            for name, of_query in self.query
            if name not in _MAY_DIFFER and of_query != (of_text := getattr(self.text, name))
        ]
        if differ:
            raise ValueError(
                "shared_tower needs query and text of one form, not "
                f"{', '.join(differ)}; make them "
                "equal or set shared_tower to false"
            )
        return self
