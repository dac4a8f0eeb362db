"""The retriever: a query tower with its gate, and item text, image and multimodal towers.

Shapes: Q queries, K vectors a query, B items, M pictures, L tokens, D embedding length.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from smar.errors import ParamsError, near_match
from smar.models.fusion import FUSIONS
from smar.models.gate import GATES
from smar.models.gate.base import GateWidths
from smar.models.image import ImageTower, build_image_tower
from smar.models.text import TextTower, build_text_tower
from smar.models.tokenizer import TextTokenizer
from smar.params import ModelParams

PRETRAINING_GATE = "learned"


@dataclass(frozen=True)
class ModelOptions:
    """Choices beside the towers that a saved model has to remember.

    Args:
        fusion: Name of the fusion, a key of `FUSIONS`.
        gate: Name of the gate, a key of `GATES`.
        beta: Softness of the maximum over a query's vectors; without effect on a single one.
        field_markers: Whether item texts name their fields.
        shared_words: Whether query and text tower share their table of word vectors.
    """

    fusion: str
    gate: str
    beta: float
    field_markers: bool
    shared_words: bool


@dataclass(frozen=True)
class QueryOutput:
    """Queries as the retriever sees them.

    Args:
        embedding: Q, unit rows, [Q, D]; [Q, K, D] if a query has several vectors.
        gate_logit: Logit of P(q), [Q].
        norm: Mean norm before scaling, scalar.
    """

    embedding: Tensor
    gate_logit: Tensor
    norm: Tensor


@dataclass(frozen=True)
class ItemOutput:
    """Items as the retriever sees them; all in the space of the queries.

    Args:
        text: S_t, unit rows, [B, D].
        image: S_i, unit rows, zero without a picture, [B, D].
        multimodal: S_m, unit rows, equal to S_t without a picture, [B, D].
        has_picture: [B].
        text_norm: Mean norm of S_t before scaling, scalar.
        image_norm: Mean norm of S_i before scaling, scalar.
    """

    text: Tensor
    image: Tensor
    multimodal: Tensor
    has_picture: Tensor
    text_norm: Tensor
    image_norm: Tensor


class RetrieverModel(nn.Module):
    """SMAR's towers with their tokenizers (Liu et al., SIGIR 2023).

    Args:
        query: The query tower.
        text: The item text tower.
        image: The item image tower.
        options: What else makes up the model.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.

    Raises:
        ParamsError: If the fusion or the gate is unknown.
    """

    def __init__(
        self,
        *,
        query: TextTower,
        text: TextTower,
        image: ImageTower,
        options: ModelOptions,
        query_tokenizer: TextTokenizer,
        text_tokenizer: TextTokenizer,
    ) -> None:
        super().__init__()
        for key, value, choices in (
            ("model.fusion", options.fusion, list(FUSIONS)),
            ("gate.kind", options.gate, list(GATES)),
        ):
            if value not in choices:
                raise ParamsError(
                    f"{key}: unknown '{value}'; expected one of {', '.join(sorted(choices))}."
                    f"{near_match(value, choices)}"
                )
        self.query, self.text, self.image = query, text, image
        self.options = options
        if options.shared_words:
            query.share_words(text)
        self.dim = text.projection.out_features
        self.fusion = FUSIONS[options.fusion](
            text.projection.in_features, image.projection.in_features, self.dim
        )
        self.gate = GATES[options.gate](self._gate_widths())
        self.query_tokenizer, self.text_tokenizer = query_tokenizer, text_tokenizer

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.query.projection.weight.device

    def set_gate(self, kind: str) -> None:
        """Give the model a gate of another kind; weights that both kinds have are kept."""
        if kind != self.options.gate:
            gate = GATES[kind](self._gate_widths()).to(self.device)
            gate.load_state_dict(
                gate.state_dict()
                | {k: v for k, v in self.gate.state_dict().items() if k in gate.state_dict()}
            )
            self.gate = gate
            self.options = replace(self.options, gate=kind)

    def encode_query_tokens(self, ids: Tensor, lengths: Tensor) -> QueryOutput:
        """Return the embeddings and gates of queries: ids [Q, L], lengths [Q]."""
        output = self.query(ids, lengths)
        return QueryOutput(output.embedding, self.gate(output.pooled), output.norm)

    def encode_item_tokens(
        self, ids: Tensor, lengths: Tensor, pictures: Tensor, owner: Tensor
    ) -> ItemOutput:
        """Return the embeddings of items.

        Args:
            ids: Token ids, [B, L].
            lengths: Number of tokens, [B].
            pictures: uint8, [M, height, width, 3].
            owner: Row of the item that each picture belongs to, ascending, [M].
        """
        text = self.text(ids, lengths)
        image = self.image(pictures, owner, len(ids))
        has_picture = image.mask.any(1)
        fused = self.gate.fold(text, image, self.fusion(text, image))
        multimodal = torch.where(has_picture[:, None], fused, text.embedding)
        return ItemOutput(
            text=text.embedding,
            image=image.embedding,
            multimodal=multimodal,
            has_picture=has_picture,
            text_norm=text.norm,
            image_norm=image.norm,
        )

    def settings(self) -> dict[str, Any]:
        """Return what, beside the weights, rebuilds the model; plain JSON types."""
        return {
            "dim": self.dim,
            "options": asdict(self.options),
            "query_vectors": self.query.vectors,
            "pooling": {"query": self.query.pooling, "text": self.text.pooling},
            "image": self.image.settings(),
        }

    def _gate_widths(self) -> GateWidths:
        return GateWidths(
            query=self.query.projection.in_features,
            text=self.text.projection.in_features,
            image=self.image.projection.in_features,
            dim=self.dim,
        )


def build_model(
    params: ModelParams,
    *,
    query_tokenizer: TextTokenizer,
    text_tokenizer: TextTokenizer,
    picture_size: tuple[int, int],
) -> RetrieverModel:
    """Return a model before training; random numbers come from torch's global generator.

    Its gate is one that clicks or categories can teach; fine-tuning chooses the kind. With shared
    words both text towers start from the same projection as well, so that texts of the same words
    are near each other from the first step on.

    Args:
        params: The `model` section of params.yaml.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.
        picture_size: Height and width of the stored pictures, in pixels.
    """
    vectors = params.query_vectors
    query, text = (
        build_text_tower(part, params.dim, tokenizer.vocab_size, tokenizer.pad_id, count)
        for part, tokenizer, count in (
            (params.query, query_tokenizer, vectors.count),
            (params.text, text_tokenizer, 1),
        )
    )
    if params.shared_words and vectors.count == 1:
        query.projection.load_state_dict(text.projection.state_dict())
    return RetrieverModel(
        query=query,
        text=text,
        image=build_image_tower(params.image, params.dim, *picture_size),
        options=ModelOptions(
            fusion=params.fusion,
            gate=PRETRAINING_GATE,
            beta=vectors.beta,
            field_markers=params.field_markers,
            shared_words=params.shared_words,
        ),
        query_tokenizer=query_tokenizer,
        text_tokenizer=text_tokenizer,
    )
