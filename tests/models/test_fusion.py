"""Every registered fusion: shapes, unit norm, what must not change its result, and its formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from smar.models.fusion import build_fusion, late_mean, moe_bilinear, residual
from smar.models.fusion import cross_attention as cross
from smar.models.text import TowerOutput
from smar.params.kinds import FUSIONS

DIM = 6
Inputs = tuple[TowerOutput, TowerOutput]


def tower(hidden: torch.Tensor, mask: torch.Tensor) -> TowerOutput:
    """Return what a tower gives: pooled and embedding see real positions only, in any order."""
    real = hidden * mask[:, :, None]
    pooled = real.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    embedding = functional.normalize(pooled[:, :DIM], dim=-1)
    return TowerOutput(hidden, pooled, mask, embedding, hidden.new_zeros(()))


def build(kind: str) -> nn.Module:
    return build_fusion(kind, {}, text_width=16, image_width=12, dim=DIM)


@pytest.fixture
def inputs() -> Inputs:
    torch.manual_seed(0)
    text = tower(torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool))
    mask = torch.tensor([[True] * 8, [True] * 4 + [False] * 4, [False] * 8])
    return text, tower(torch.randn(3, 8, 12) * mask[:, :, None], mask)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_gives_unit_rows(name: str, inputs: Inputs):
    output = build(name)(*inputs)
    assert output.shape == (3, DIM)
    assert output.norm(dim=1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_ignores_masked_patches(name: str, inputs: Inputs):
    fusion = build(name)
    text, image = inputs
    other = tower(torch.where(image.mask[:, :, None], image.hidden, 9.0), image.mask)
    rows = image.mask.any(1)  # without a picture the retriever takes S_t
    assert torch.allclose(fusion(text, image)[rows], fusion(text, other)[rows], atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_fusion_ignores_the_order_of_patches(name: str, inputs: Inputs):
    fusion = build(name)
    text, image = inputs
    order = torch.randperm(8)
    turned = tower(image.hidden[:, order], image.mask[:, order])
    assert torch.allclose(fusion(text, image), fusion(text, turned), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in FUSIONS if FUSIONS[name].facts["SEES_PICTURES"]])
def test_fusion_sees_the_picture(name: str, inputs: Inputs):
    fusion = build(name)
    text, image = inputs
    other = tower(image.hidden.flip(0), image.mask.flip(0))
    assert not torch.allclose(fusion(text, image)[0], fusion(text, other)[0], atol=1e-3)


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"text_only", "image_only", "late_mean"}))
def test_every_weight_of_a_fusion_is_trained(name: str, inputs: Inputs):
    torch.manual_seed(2)
    fusion = build(name)
    if name == "residual":  # its last layer starts at zero and keeps the first from a gradient
        torch.nn.init.normal_(fusion.projection.weight)
    (fusion(*inputs) * torch.randn(3, DIM)).sum().backward()
    without = [n for n, p in fusion.named_parameters() if p.grad is None or not p.grad.any()]
    # A key's bias moves all scores of an attention alike: half of this bias never has a gradient.
    assert without == []


def test_cross_attention_equals_the_written_out_formula(inputs: Inputs):
    torch.manual_seed(1)
    fusion = cross.Fusion(16, 12, DIM, cross.Params())
    text, image = inputs
    query = fusion.query(text.pooled[0]).view(4, 4)
    key, value = (part.view(8, 4, 4) for part in fusion.key_value(image.hidden[0]).chunk(2, -1))
    heads = []
    for head in range(4):
        weights = torch.softmax(key[:, head] @ query[head] / 4**0.5, dim=0)
        heads.append(weights @ value[:, head])
    hidden = fusion.attention_norm(text.pooled[0] + fusion.output(torch.cat(heads)))
    forward = fusion.contract(torch.nn.functional.gelu(fusion.expand(hidden)))
    expected = fusion.projection(fusion.feed_forward_norm(hidden + forward))
    assert torch.allclose(fusion(text, image)[0], expected / expected.norm(), atol=1e-5)


def test_single_modalities_are_the_towers_own_embeddings(inputs: Inputs):
    text, image = inputs
    assert torch.equal(build("text_only")(text, image), text.embedding)
    alone = build("image_only")(text, image)
    assert torch.equal(alone[:2], image.embedding[:2])
    assert torch.equal(alone[2], text.embedding[2])  # no picture


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_late_mean_starts_from_the_share_of_the_picture_it_is_given(share: float):
    fusion = late_mean.Fusion(16, 12, DIM, late_mean.Params(image_share=share))
    assert fusion.weights.softmax(0)[1].item() == pytest.approx(share)


def test_late_mean_gives_a_missing_fields_weight_to_the_rest(inputs: Inputs):
    text, image = inputs
    fusion = late_mean.Fusion(16, 12, DIM, late_mean.Params())
    with torch.no_grad():
        fusion.weights.copy_(torch.tensor([0.1, 0.9]).log())  # GCL's shares
    expected = 0.1 * text.embedding[0] + 0.9 * image.embedding[0]
    mean = fusion(text, image)
    assert torch.allclose(mean[0], expected / expected.norm(), atol=1e-6)
    assert torch.allclose(mean[2], text.embedding[2], atol=1e-6)


def test_moe_bilinear_equals_the_written_out_formula(inputs: Inputs):
    torch.manual_seed(1)
    fusion = moe_bilinear.Fusion(16, 12, DIM, moe_bilinear.Params())
    text, image = inputs
    t, v = text.pooled[0], image.hidden[0].mean(0)
    share = torch.softmax(fusion.switch(torch.cat([t, v])), dim=0)
    seen = (t, v, torch.cat([t, v]))
    mixed = sum(share[k] * expert(seen[k]) for k, expert in enumerate(fusion.experts))
    product = torch.tanh(fusion.product.text(t)) * torch.tanh(fusion.product.image(v))
    expected = fusion.norm(mixed + fusion.output(product))
    assert torch.allclose(fusion(text, image)[0], expected / expected.norm(), atol=1e-5)


def test_residual_starts_as_the_sum_of_both_modalities(inputs: Inputs):
    text, image = inputs
    expected = text.embedding[0] + image.embedding[0]
    fused = residual.Fusion(16, 12, DIM, residual.Params())(text, image)
    assert torch.allclose(fused[0], expected / expected.norm(), atol=1e-6)
