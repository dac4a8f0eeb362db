"""Attention within short texts and small pictures, all of a length at once.

`softmax(scale Q K^T) V` (Vaswani et al., 2017). Torch's kernel takes every head of every text by
itself, which for a dozen tokens is thousands of tiny products, and its softmax reads lines of a
dozen numbers one by one. Here one product is all of them, keys are lines and queries columns: a
softmax goes down the columns, sixteen of them at a time, which is what they are rounded up to.

Shapes: R rows, H inputs, B texts of a length, A heads, d numbers of a head, L tokens, C columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers.models.vit.modeling_vit import ViTAttention

from smar.models.onednn import linear, takes

_LONGEST = 32  # tokens; for longer texts Torch's kernel is faster
_COLUMNS = 16  # float32 numbers that a processor takes at once

Run = tuple[int, int]
"""How many texts have how many tokens."""


def attended(
    states: Tensor, maps: Sequence[nn.Linear], runs: Sequence[Run], heads: int, scale: float
) -> Tensor:
    """Return what each row sees of its own text, [R, A * d]; rows behind all texts see nothing: 0.

    Args:
        states: The states of the texts' tokens, one text behind the other, [R, H].
        maps: Make queries, keys and values of them, of H inputs and A * d outputs each.
        runs: How many texts have how many tokens, shortest first.
        heads: A.
        scale: What the products of queries and keys are multiplied by.
    """
    takes_own = takes(states, maps[0].weight)
    mapped = _mapped(states, maps).view(len(states), 3, heads, -1)  # [R, 3, A, d]
    short = [run for run in runs if takes_own and run[1] <= _LONGEST]
    long = list(runs[len(short) :])
    if not long:
        return _of_short(mapped, short, scale)
    sizes = [_rows((run,)) for run in long]
    blank = len(mapped) - _rows(runs)
    head, *parts, _ = torch.split(mapped, [_rows(short), *sizes, blank])
    found = [_of_short(head, short, scale)] if short else []
    for part, run in zip(parts, long, strict=True):
        query, key, value = part.view(*run, *part.shape[1:]).permute(2, 0, 3, 1, 4)  # [B, A, L, d]
        seen = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        found.append(seen.transpose(1, 2).flatten(0, 1).flatten(1))
    found.append(found[0].new_zeros(blank, found[0].shape[1]))
    return torch.cat(found)


def _mapped(states: Tensor, maps: Sequence[nn.Linear]) -> Tensor:
    """Return queries, keys and values side by side, [R, 3 * A * d], by one product if it pays."""
    if not takes(states, maps[0].weight):
        return torch.cat([each(states) for each in maps], 1)
    biases: list[Tensor] = [each.bias for each in maps if each.bias is not None]
    weights: list[Tensor] = [each.weight for each in maps]
    return linear(states, torch.cat(weights), torch.cat(biases) if biases else None)


def _of_short(mapped: Tensor, runs: list[Run], scale: float) -> Tensor:
    found: Tensor = _AtOnce.apply(mapped, runs, scale)  # type: ignore[no-untyped-call]
    return found


class _AtOnce(torch.autograd.Function):
    """Attention [R, A * d] within texts of mapped states [R, 3, A, d], those of a length at once.

    With P the softmax and g the gradient of `o = P v`: `dv = P^T g`, `dP = g v^T`,
    `ds = P (dP - sum(P dP))`, `dq = scale ds k`, `dk = ds^T (scale q)`.
    """

    @staticmethod
    def forward(ctx: Any, mapped: Tensor, runs: list[Run], scale: float) -> Tensor:
        """Return what each row sees of its text."""
        found = torch.empty_like(mapped[:, 0])
        found[_rows(runs) :] = 0
        kept: list[Tensor] = []
        for part, seen in zip(_texts(mapped, runs), _texts(found, runs), strict=True):
            query = _columns(part[:, :, 0]).mul_(scale)
            key, value = (_lines(part[:, :, place]) for place in (1, 2))
            share = (key @ query.transpose(1, 2)).softmax(1)  # [B * A, L, C]
            seen.copy_(_by_text(share.transpose(1, 2) @ value, seen))
            kept += [query, key, value, share]
        ctx.save_for_backward(*kept)
        ctx.runs, ctx.scale = runs, scale
        return found.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the mapped states."""
        kept = ctx.saved_tensors
        width = kept[0].shape[2]
        gradient = gradient.view(len(gradient), -1, width)  # [R, A, d]
        found = gradient.new_empty(len(gradient), 3, *gradient.shape[1:])
        found[_rows(ctx.runs) :] = 0
        pairs = zip(_texts(gradient, ctx.runs), _texts(found, ctx.runs), strict=True)
        for number, (part, to) in enumerate(pairs):
            query, key, value, share = kept[4 * number : 4 * number + 4]
            line = _columns(part)
            of_share = value @ line.transpose(1, 2)  # [B * A, L, C]
            of_score = torch.ops.aten._softmax_backward_data(of_share, share, 1, share.dtype)
            of_query, of_key, of_value = to.unbind(2)  # [B, L, A, d]
            of_query.copy_(_by_text(of_score.transpose(1, 2) @ key, part)).mul_(ctx.scale)
            of_key.copy_(_by_text(of_score @ query, part))
            of_value.copy_(_by_text(share @ line, part))
        return found, None, None


def _rows(runs: Iterable[Run]) -> int:
    """Return how many tokens all texts have."""
    return sum(texts * tokens for texts, tokens in runs)


def _texts(rows: Tensor, runs: Sequence[Run]) -> Iterator[Tensor]:
    """Yield the rows [R, ...] of the texts of each length as [B, L, ...]; no copy."""
    parts = torch.split(rows[: _rows(runs)], [_rows((run,)) for run in runs])
    for part, run in zip(parts, runs, strict=True):
        yield part.view(*run, *rows.shape[1:])


def _lines(states: Tensor) -> Tensor:
    """Return states [B, L, A, d] by head, [B * A, L, d]."""
    return states.transpose(1, 2).flatten(0, 1)


def _columns(states: Tensor) -> Tensor:
    """Return states [B, L, A, d] by head with lines of zeros behind them, [B * A, C, d]."""
    behind = -states.shape[1] % _COLUMNS
    return functional.pad(states.transpose(1, 2), (0, 0, 0, behind)).flatten(0, 1)


def _by_text(lines: Tensor, like: Tensor) -> Tensor:
    """Return lines [B * A, L or C, d] by text, [B, L, A, d] as another, without those behind."""
    texts, tokens, heads, _ = like.shape
    return lines.view(texts, heads, *lines.shape[1:])[:, :, :tokens].transpose(1, 2)


class PictureAttention(ViTAttention):  # type: ignore[misc]  # transformers has no types
    """Attention among the patches of small pictures, all at once.

    Example:
        >>> from transformers import ViTConfig
        >>> config = ViTConfig(hidden_size=24, num_attention_heads=3, attn_implementation="sdpa")
        >>> states, weights = PictureAttention(config)(torch.ones(9, 13, 24))
        >>> tuple(states.shape), weights
        ((9, 13, 24), None)
    """

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **given: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Return what patches [B, L, H] see of their picture, and no weights."""
        rows = hidden_states.flatten(0, 1)
        pictures, tokens = hidden_states.shape[:2]
        is_plain = attention_mask is None and self.config._attn_implementation == "sdpa"
        drops = self.training and self.attention_dropout > 0
        if not is_plain or drops or tokens > _LONGEST or not takes(rows, self.q_proj.weight):
            found: tuple[Tensor, Tensor | None] = super().forward(
                hidden_states, attention_mask, **given
            )
            return found
        maps = (self.q_proj, self.k_proj, self.v_proj)
        heads = self.num_attention_heads
        seen = attended(rows, maps, [(pictures, tokens)], heads, self.scaling)
        return self.o_proj(seen.view(pictures, tokens, -1)), None


def by_products(module: nn.Module) -> None:
    """Let attention among patches be taken at once where that is faster, in place.

    Names, weights and results stay as they are, but for the last bits of what is computed.
    """
    for layer in module.modules():
        if type(layer) is ViTAttention:
            layer.__class__ = PictureAttention
