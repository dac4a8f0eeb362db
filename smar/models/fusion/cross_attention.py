"""SMAR's item multimodal tower: the text attends to the pictures.

Shapes: B items, L text tokens, P patches, D embedding length.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.errors import ParamsError
from smar.models.text import TowerOutput
from smar.params.section import Count, Section


class Params(Section):
    """Parameters of this fusion."""

    heads: Count = 4
    """Attention heads; they divide model.text.hidden."""
    ratio: Count = 4
    """Inner width of the feed-forward layer over the text's width."""


def senseless(params: Any) -> Iterator[str]:
    """Yield what makes no sense with this fusion."""
    heads, width = params.fusion.cross_attention.heads, params.model.text.hidden
    if not params.model.source_of("text") and width % heads:
        yield (
            f"fusion.cross_attention.heads: {heads} heads do not divide model.text.hidden, {width}"
        )


class Fusion(nn.Module):
    """The text attends to picture patches; the result becomes the embedding.

    `A = softmax((H_t W_Q)(H_i W_K)^T / sqrt(d_k)) (H_i W_V)`, `H_m = LN(H_t + A W_O)`, a
    feed-forward layer with residual and LN, then `S_m = norm(W cls(H_m))` (SMAR, 2023; the form of
    the block is our choice, as the paper gives only its inputs). Only the pooled state is kept, so
    only its row of the attention is computed.

    Example:
        >>> from smar.models.fusion.parts import example_towers
        >>> fusion = Fusion(8, 8, 4, Params())
        >>> tuple(fusion(*example_towers(items=3, width=8, dim=4)).shape)
        (3, 4)

    Args:
        text_width: Width of the text hidden states.
        image_width: Width of the image hidden states.
        dim: Embedding length D.
        params: Heads and inner width.

    Raises:
        ParamsError: If the heads do not divide the text's width, as that of a pretrained tower.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, params: Params) -> None:
        super().__init__()
        if text_width % params.heads:
            raise ParamsError(
                f"fusion.cross_attention.heads: {params.heads} heads do not divide the text "
                f"tower's width, {text_width}. Set it to a divisor, or choose another model.fusion."
            )
        self.heads = params.heads
        self.query = nn.Linear(text_width, text_width)
        self.key_value = nn.Linear(image_width, 2 * text_width)
        self.output = nn.Linear(text_width, text_width)
        self.attention_norm = nn.LayerNorm(text_width)
        self.expand = nn.Linear(text_width, params.ratio * text_width)
        self.contract = nn.Linear(params.ratio * text_width, text_width)
        self.feed_forward_norm = nn.LayerNorm(text_width)
        self.projection = nn.Linear(text_width, dim)

    def forward(self, text: TowerOutput, image: TowerOutput) -> Tensor:
        """Return S_m, [B, D]; rows of items without a picture are those of no attention."""
        first = text.pooled  # [B, H]
        has_picture = image.mask.any(1, keepdim=True)
        # A row without any key would be NaN: let it see the (zero) slots, then drop the result.
        attended = self._attended(first, image.hidden, image.mask | ~has_picture)
        attended = self.output(attended) * has_picture
        hidden = self.attention_norm(first + attended)
        hidden = self.feed_forward_norm(
            hidden + self.contract(functional.gelu(self.expand(hidden)))
        )
        return functional.normalize(self.projection(hidden).float(), dim=-1)

    def _attended(self, first: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
        """Return what text states [B, H] see of patches [B, P, W] where a mask [B, P] lets them.

        With one query an item `q . (W_K h) = (W_K^T q) . h` and `sum a (W_V h) = W_V (sum a h)`:
        the maps are taken once an item and not of every patch.
        """
        of_key, of_value = self.key_value.weight.view(2, self.heads, -1, patches.shape[2])
        key_bias, value_bias = self.key_value.bias.view(2, self.heads, 1, -1)
        query = self.query(first).view(len(first), self.heads, -1).transpose(0, 1)
        query = query * query.shape[2] ** -0.5  # [heads, B, d_k]
        asked = (query @ of_key).transpose(0, 1)  # [B, heads, W]
        of_bias = (query * key_bias).sum(2).T[:, :, None]
        scores = asked @ patches.transpose(1, 2) + of_bias  # [B, heads, P]
        share = scores.masked_fill(~mask[:, None], -torch.inf).softmax(2)
        seen = (share @ patches).transpose(0, 1)  # [heads, B, W]
        values = seen @ of_value.transpose(1, 2) + value_bias  # [heads, B, d_k]
        return values.transpose(0, 1).flatten(1)
