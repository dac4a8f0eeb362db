"""The mixture that a gate stands for."""

import pytest
import torch

from smar.models.gate.mixture import gated_scores


@pytest.mark.parametrize(("gate", "expected"), [(0.0, 0.2), (1.0, 0.8), (0.25, 0.35)])
def test_gated_scores_mix_text_and_multimodal(gate: float, expected: float):
    mixed = gated_scores(torch.tensor([[0.2]]), torch.tensor([[0.8]]), torch.tensor([gate]))
    assert mixed.item() == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 6)])
def test_gated_scores_equal_one_product_of_joined_vectors(shape: tuple[int, ...]):
    torch.manual_seed(0)
    query, text, multimodal = torch.randn(shape), torch.randn(9, 6), torch.randn(9, 6)
    gate = torch.rand(4)
    share = gate.view(-1, *[1] * (len(shape) - 1))
    joined_query = torch.cat([(1 - share) * query, share * query], dim=-1)
    joined_items = torch.cat([text, multimodal], dim=1)
    mixed = gated_scores(query @ text.T, query @ multimodal.T, gate)
    assert torch.allclose(mixed, joined_query @ joined_items.T, atol=1e-5)
