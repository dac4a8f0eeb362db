"""Every registered fusion: shapes, unit norm, and what must not change its result."""

import pytest
import torch

from smar.models.fusion import FUSIONS
from smar.models.fusion.cross_attention import CrossAttentionFusion
from smar.models.text import TowerOutput


def tower(hidden: torch.Tensor, mask: torch.Tensor) -> TowerOutput:
    return TowerOutput(hidden, hidden[:, 0], mask, hidden[:, 0], hidden.new_zeros(()))


@pytest.fixture
def inputs() -> tuple[TowerOutput, TowerOutput]:
    torch.manual_seed(0)
    text = tower(torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool))
    mask = torch.tensor([[True] * 8, [True] * 4 + [False] * 4, [False] * 8])
    return text, tower(torch.randn(3, 8, 12) * mask[:, :, None], mask)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_gives_unit_rows(name: str, inputs: tuple[TowerOutput, TowerOutput]):
    output = FUSIONS[name](16, 12, 6)(*inputs)
    assert output.shape == (3, 6)
    assert output.norm(dim=1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_ignores_masked_patches(name: str, inputs: tuple[TowerOutput, TowerOutput]):
    fusion = FUSIONS[name](16, 12, 6)
    text, image = inputs
    other = tower(torch.where(image.mask[:, :, None], image.hidden, 9.0), image.mask)
    assert torch.allclose(fusion(text, image), fusion(text, other), atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_ignores_the_order_of_patches(name: str, inputs: tuple[TowerOutput, TowerOutput]):
    fusion = FUSIONS[name](16, 12, 6)
    text, image = inputs
    order = torch.randperm(8)
    turned = tower(image.hidden[:, order], image.mask[:, order])
    assert torch.allclose(fusion(text, image), fusion(text, turned), atol=1e-5)


def test_cross_attention_equals_the_written_out_formula(
    inputs: tuple[TowerOutput, TowerOutput],
):
    torch.manual_seed(1)
    fusion = CrossAttentionFusion(16, 12, 6)
    text, image = inputs
    query = fusion.query(text.hidden[0, 0]).view(4, 4)
    key, value = (part.view(8, 4, 4) for part in fusion.key_value(image.hidden[0]).chunk(2, -1))
    heads = []
    for head in range(4):
        weights = torch.softmax(key[:, head] @ query[head] / 4**0.5, dim=0)
        heads.append(weights @ value[:, head])
    hidden = fusion.attention_norm(text.hidden[0, 0] + fusion.output(torch.cat(heads)))
    forward = fusion.contract(torch.nn.functional.gelu(fusion.expand(hidden)))
    expected = fusion.projection(fusion.feed_forward_norm(hidden + forward))
    assert torch.allclose(fusion(text, image)[0], expected / expected.norm(), atol=1e-5)
