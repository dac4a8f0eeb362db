"""The retriever: a query tower with its gate, and item text, image and multimodal towers.

Shapes: Q queries, B items, M pictures, L tokens, D embedding length.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from smar.errors import ParamsError, near_match
from smar.models.fusion import FUSIONS
from smar.models.gate import Gate
from smar.models.image import ImageTower, build_image_tower
from smar.models.text import TextTower, build_text_tower, pad_mask
from smar.models.tokenizer import TextTokenizer
from smar.params import ModelParams


@dataclass(frozen=True)
class QueryOutput:
    """Queries as the retriever sees them.

    Args:
        embedding: Q, unit rows, [Q, D].
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
        fusion: Name of the fusion, a key of `FUSIONS`.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.

    Raises:
        ParamsError: If the fusion is unknown.
    """

    def __init__(
        self,
        *,
        query: TextTower,
        text: TextTower,
        image: ImageTower,
        fusion: str,
        query_tokenizer: TextTokenizer,
        text_tokenizer: TextTokenizer,
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ParamsError(
                f"model.fusion: unknown '{fusion}'; expected one of {', '.join(sorted(FUSIONS))}."
                f"{near_match(fusion, FUSIONS)}"
            )
        self.query, self.text, self.image = query, text, image
        self.fusion_name = fusion
        self.dim = query.projection.out_features
        self.fusion = FUSIONS[fusion](
            text.projection.in_features, image.projection.in_features, self.dim
        )
        self.gate = Gate(query.projection.in_features)
        self.query_tokenizer, self.text_tokenizer = query_tokenizer, text_tokenizer

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.query.projection.weight.device

    def encode_query_tokens(self, ids: Tensor, lengths: Tensor) -> QueryOutput:
        """Return the embeddings and gates of queries: ids [Q, L], lengths [Q]."""
        output = self.query(ids, pad_mask(ids, lengths))
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
        text = self.text(ids, pad_mask(ids, lengths))
        image = self.image(pictures, owner, len(ids))
        has_picture = image.mask.any(1)
        fused = self.fusion(text, image)
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
            "fusion": self.fusion_name,
            "pooling": {"query": self.query.pooling, "text": self.text.pooling},
            "image": self.image.settings(),
        }


def build_model(
    params: ModelParams,
    *,
    query_tokenizer: TextTokenizer,
    text_tokenizer: TextTokenizer,
    picture_size: tuple[int, int],
) -> RetrieverModel:
    """Return a model before training; random numbers come from torch's global generator.

    Args:
        params: The `model` section of params.yaml.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.
        picture_size: Height and width of the stored pictures, in pixels.
    """
    towers = [
        build_text_tower(part, params.dim, tokenizer.vocab_size, tokenizer.pad_id)
        for part, tokenizer in ((params.query, query_tokenizer), (params.text, text_tokenizer))
    ]
    return RetrieverModel(
        query=towers[0],
        text=towers[1],
        image=build_image_tower(params.image, params.dim, *picture_size),
        fusion=params.fusion,
        query_tokenizer=query_tokenizer,
        text_tokenizer=text_tokenizer,
    )
