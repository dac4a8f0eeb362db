"""The query tower and the item text tower.

Shapes: B texts, L tokens, H hidden width, D embedding length, K vectors a text.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.backbone import build_from_config, hidden_size, load_pretrained, new_config
from smar.params import TextTowerParams

_GROUPS = 4
_LEAST = 32  # texts of a group


@dataclass(frozen=True)
class TowerOutput:
    """What a tower makes of a batch.

    Args:
        hidden: Last hidden states, zero behind a text's end, [B, L, H].
        pooled: One state for the whole, [B, H].
        mask: True at real positions, [B, L].
        embedding: Unit-norm embeddings, [B, D]; [B, K, D] of a query tower with several vectors.
        norm: Mean norm of the embeddings before they were scaled, scalar.
    """

    hidden: Tensor
    pooled: Tensor
    mask: Tensor
    embedding: Tensor
    norm: Tensor


class TextTower(nn.Module):
    """Tokens -> Transformer encoder -> pooling -> linear -> unit norm.

    `Q(q) = norm(W pool(H_q))`: the paper's tower (SMAR, 2023) with a projection W, so that
    backbones of any width end in one space.

    Args:
        backbone: A `transformers` encoder with `last_hidden_state`.
        dim: Embedding length D.
        pooling: "cls" takes the first token (the paper), "mean" the mean over the tokens, which
            learns faster from nothing.
        vectors: K, vectors per text; above 1 as in DPSR, each a projection of its own.
    """

    def __init__(self, backbone: nn.Module, dim: int, pooling: str, vectors: int = 1) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.vectors = vectors
        self.projection = nn.Linear(hidden_size(backbone), dim * vectors)

    def share_words(self, other: "TextTower") -> None:
        """Take another tower's table of word vectors for this one's, as one parameter."""
        mine: Any = self.backbone
        theirs: Any = other.backbone
        mine.set_input_embeddings(theirs.get_input_embeddings())

    def forward(self, ids: Tensor, lengths: Tensor) -> TowerOutput:
        """Return hidden states and unit-norm embeddings of token ids [B, L], lengths [B]."""
        mask = _pad_mask(ids, lengths)
        hidden = self._hidden(ids, lengths, mask)
        if self.pooling == "mean":
            weights = mask / mask.sum(1, keepdim=True)  # [B, L]
            pooled = torch.einsum("bl,blh->bh", weights.to(hidden.dtype), hidden)
        else:
            pooled = hidden[:, 0]
        projected = self.projection(pooled).float()  # [B, D]
        if self.vectors > 1:
            projected = projected.unflatten(1, (self.vectors, -1))  # [B, K, D]
        norm = projected.detach().norm(dim=-1).mean()
        return TowerOutput(hidden, pooled, mask, functional.normalize(projected, dim=-1), norm)

    def _hidden(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """Return the hidden states [B, L, H], texts of similar length together: less padding."""
        if torch.compiler.is_exporting():  # a graph has no groups: those hang on the lengths
            states = self.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            return states * mask[..., None]
        order = lengths.argsort(stable=True)
        parts = []
        for rows in order.tensor_split(max(1, min(_GROUPS, len(ids) // _LEAST))):
            longest = int(lengths[rows].max())
            part = self.backbone(
                input_ids=ids[rows, :longest], attention_mask=mask[rows, :longest].long()
            ).last_hidden_state
            part = part * mask[rows, :longest, None]
            parts.append(functional.pad(part, (0, 0, 0, ids.shape[1] - longest)))
        return torch.cat(parts)[order.argsort()]


def build_text_tower(
    params: TextTowerParams, dim: int, vocab_size: int, pad_id: int, vectors: int = 1
) -> TextTower:
    """Return a text tower, pretrained or from nothing."""
    if params.pretrained:
        return TextTower(load_pretrained(params.pretrained, "text"), dim, params.pooling, vectors)
    config = new_config(
        params.architecture,
        vocab_size=vocab_size,
        hidden_size=params.hidden,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        intermediate_size=4 * params.hidden,
        max_position_embeddings=max(params.max_tokens, 16),
        type_vocab_size=1,
        pad_token_id=pad_id,
    )
    return TextTower(build_from_config(config), dim, params.pooling, vectors)


def _pad_mask(ids: Tensor, lengths: Tensor) -> Tensor:
    """Return the mask [B, L] that is True for the first `lengths` tokens of each row."""
    return torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]
