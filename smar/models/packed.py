"""Texts side by side without padding, for backbones whose layers are BERT's.

Shapes: B texts, T tokens of all of them, L tokens of the longest, H hidden width.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import BertModel

from smar.models.attention import attended

_ROUND, _LEAST = 64, 1024  # rows come in such steps, from so many tokens on


@dataclass(frozen=True)
class Packed:
    """Texts by length, one behind the other.

    Args:
        order: Which text stands where, shortest first, [B].
        place: Position of each token in a table [B * L] of the texts in their first order, [T].
        runs: How many texts have how many tokens, shortest first.
    """

    order: Tensor
    place: Tensor
    runs: list[tuple[int, int]]

    @classmethod
    def of(cls, lengths: Tensor, longest: int) -> Self:
        """Return how texts of lengths [B], each in 1 to `longest`, are packed."""
        sizes, order = lengths.sort(stable=True)
        found, counts = torch.unique_consecutive(sizes, return_counts=True)
        column = torch.arange(longest, device=lengths.device)
        place = (order[:, None] * longest + column)[column < sizes[:, None]]
        return cls(order, place, list(zip(counts.tolist(), found.tolist(), strict=True)))

    def split(self, rows: Tensor) -> list[Tensor]:
        """Return rows [T, ...] of tokens as [texts, tokens, ...] of each length; no copy."""
        parts = torch.split(rows, [texts * tokens for texts, tokens in self.runs])
        return [
            part.view(*run, *rows.shape[1:]) for part, run in zip(parts, self.runs, strict=True)
        ]

    def unpacked(self, rows: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return rows [T, H] of tokens as [B, L, H], zero behind the ends."""
        whole = rows.new_zeros(shape[0] * shape[1], rows.shape[1])
        return whole.index_copy(0, self.place, rows).view(*shape, -1)

    def of_texts(self, rows: list[Tensor]) -> Tensor:
        """Return what is known of the texts of each length as [B, H], in their first order."""
        return torch.cat(rows)[self.order.argsort()]


def takes_packed(backbone: nn.Module) -> bool:
    """Return whether a backbone can read texts side by side."""
    bert: Any = backbone
    return type(bert) is BertModel and not bert.config.is_decoder


def read_packed(backbone: nn.Module, ids: Tensor, packed: Packed) -> Tensor:
    """Return the last states [T, H] of texts with token ids [B, L].

    Each token goes through the layers once, and tokens attend within their text: what a padded
    batch computes, without what it computes of padding. Blank rows behind many tokens make their
    number a round one, so that step after step has products, and pieces of memory, of few sizes.

    Args:
        backbone: One that `takes_packed`.
        ids: Token ids; what stands behind a text's end is not read.
        packed: How the texts are packed.
    """
    bert: Any = backbone
    places = packed.place % ids.shape[1]
    states = bert.embeddings(
        input_ids=ids.flatten()[packed.place][None], position_ids=places[None]
    )[0]
    count = len(states)
    if count >= _LEAST:
        states = functional.pad(states, (0, 0, 0, -count % _ROUND))
    recomputes = bert.is_activation_checkpointing and bert.training
    for layer in bert.encoder.layer:
        if recomputes:
            states = checkpoint(_layer, layer, states, packed, use_reentrant=False)
        else:
            states = _layer(layer, states, packed)
    return states[:count]


def _layer(layer: Any, states: Tensor, packed: Packed) -> Tensor:
    attention, output = layer.attention.self, layer.attention.output
    maps = (attention.query, attention.key, attention.value)
    heads = attention.num_attention_heads
    seen = attended(states, maps, packed.runs, heads, attention.scaling)
    joined = output(seen, states)
    whole: Tensor = layer.feed_forward_chunk(joined)
    return whole
