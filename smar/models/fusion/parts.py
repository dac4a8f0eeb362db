"""What several fusions share.

Shapes: B items, P patches, H hidden width, R rank, E experts, D embedding length.
"""

import torch
from torch import Tensor, nn

from smar.models.text import TowerOutput


def mean_patches(image: TowerOutput) -> Tensor:
    """Return the mean over an item's real patches, [B, H]; zero without a picture."""
    weights = image.mask / image.mask.sum(1, keepdim=True).clamp(min=1)  # [B, K * P]
    return torch.einsum("bp,bph->bh", weights.to(image.hidden.dtype), image.hidden)


class LowRankProduct(nn.Module):
    """`tanh(U t) * tanh(V v)`, [B, R]: every entry is one rank-one term of a bilinear form.

    Args:
        text_width: Width of t.
        image_width: Width of v.
        rank: R.
    """

    def __init__(self, text_width: int, image_width: int, rank: int) -> None:
        super().__init__()
        self.text = nn.Linear(text_width, rank)
        self.image = nn.Linear(image_width, rank)

    def forward(self, text: Tensor, picture: Tensor) -> Tensor:
        """Return the products, [B, R], of text states [B, H] and picture states [B, H]."""
        product: Tensor = self.text(text).tanh() * self.image(picture).tanh()
        return product


class Experts(nn.Module):
    """`sum_k g_k E_k([t; v])` with `g = softmax(W_g [t; v])`: a light mixture of modality experts.

    Three 2-layer MLPs, one that sees the text state t, one the mean patch v, one both; all three
    always run (there is no routing to save on at this size).

    Args:
        text_width: Width of t.
        image_width: Width of v.
        dim: D.
        inner: Inner width of an expert.
    """

    def __init__(self, text_width: int, image_width: int, dim: int, inner: int) -> None:
        super().__init__()
        both = text_width + image_width
        self.switch = nn.Linear(both, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, dim))
            for width in (text_width, image_width, both)
        )

    def mixture(self, text: Tensor, picture: Tensor) -> Tensor:
        """Return `sum_k g_k E_k`, [B, D], of text states [B, H] and picture states [B, H]."""
        both = torch.cat([text, picture], dim=-1)
        share = self.switch(both).softmax(dim=-1)  # [B, E]
        answers = [
            expert(seen) for expert, seen in zip(self.experts, (text, picture, both), strict=True)
        ]
        return torch.einsum("be,ebd->bd", share, torch.stack(answers))


def example_towers(items: int, width: int, dim: int) -> tuple[TowerOutput, TowerOutput]:
    """Return what the text and the image tower could give, four positions an item, for examples."""
    hidden = torch.linspace(-1, 1, items * 4 * width).reshape(items, 4, width)
    unit = nn.functional.normalize(hidden[:, 0, :dim], dim=-1)
    mask = torch.ones(items, 4, dtype=torch.bool)
    tower = TowerOutput(hidden, hidden.mean(1), mask, unit, unit.new_ones(()))
    return tower, tower
