"""The gate by what the picture brings, against least squares and planted gains."""

import numpy as np
import pytest
import torch

from smar.models.gate.base import GateWidths
from smar.models.gate.benefit import KindGate, Params
from smar.models.gate.teaching import Benefit

WIDTHS = GateWidths(query=5, text=4, image=4, dim=2)


def settled(states: torch.Tensor, gain: torch.Tensor, **params: float) -> KindGate:
    gate = KindGate(WIDTHS, Params(**params))
    gate.settle(Benefit(states, gain))
    return gate


def test_gate_is_the_logistic_of_least_squares_over_the_price():
    torch.manual_seed(0)
    states, gain = torch.randn(60, 5) * torch.tensor([1, 2, 5, 0.1, 3]) + 2, torch.randn(60)
    gate = settled(states, gain, price=0.2, softness=0.5, shrinkage=1e-9)
    design = np.column_stack([states.numpy(), np.ones(60)])
    expected = design @ np.linalg.lstsq(design, gain.numpy(), rcond=None)[0]
    assert np.allclose(gate(states).detach().numpy(), (expected - 0.2) / 0.5, atol=1e-2)


def test_shrinkage_is_the_ridge_penalty_on_scaled_states():
    torch.manual_seed(1)
    states, gain = torch.randn(40, 5), torch.randn(40)
    gate = settled(states, gain, price=0.0, softness=1.0, shrinkage=0.7)
    scaled = (states - states.mean(0)) / states.std(0, correction=0)
    # Ridge regression is least squares with a row more for each slope, that wants it to be 0.
    rows = torch.cat([scaled / 40**0.5, 0.7**0.5 * torch.eye(5)])
    wanted = torch.cat([(gain - gain.mean()) / 40**0.5, torch.zeros(5)])
    slope = torch.linalg.lstsq(rows, wanted[:, None]).solution[:, 0]
    expected = gain.mean() + scaled @ slope
    assert torch.allclose(gate(states), expected, atol=1e-3)


@pytest.mark.parametrize(("gain", "chance"), [(0.25, 0.5), (0.32, 0.731), (0.0, 0.027)])
def test_queries_that_gain_alike_have_one_gate(gain: float, chance: float):
    states = torch.randn(30, 5)
    gate = settled(states, torch.full((30,), gain), price=0.25, softness=0.07)
    assert torch.allclose(gate(states).sigmoid(), torch.full((30,), chance), atol=1e-3)


def test_noise_of_clicks_hides_neither_kind_of_query():
    """Every click of a visual query gains 0.6 on average, of others 0, both with noise of 1.5."""
    torch.manual_seed(2)
    visual = torch.arange(4000) % 2 == 0
    states = torch.randn(4000, 5)
    states[:, 0] += torch.where(visual, 3.0, -3.0)
    gate = settled(states, 0.6 * visual + 1.5 * torch.randn(4000), price=0.25)
    chance = gate(states).sigmoid()
    assert chance[visual].mean() > 0.9
    assert chance[~visual].mean() < 0.15


def test_state_that_never_varies_says_nothing():
    torch.manual_seed(3)
    states = torch.randn(50, 5)
    states[:, 2] = 7.0
    gate = settled(states, states[:, 0].clone(), shrinkage=1e-6)
    assert torch.isfinite(gate(states)).all()
    assert gate(states).std() > 1


def test_figures_say_how_much_the_fit_explains():
    torch.manual_seed(4)
    states = torch.randn(200, 5)
    gate = KindGate(WIDTHS, Params(shrinkage=1e-9))
    exact = gate.settle(Benefit(states, 0.5 + states[:, 1]))
    assert exact["picture_gain"] == pytest.approx(float(0.5 + states[:, 1].mean()), abs=1e-5)
    assert exact["picture_gain_explained"] == pytest.approx(1.0, abs=1e-4)
    noise = gate.settle(Benefit(states, torch.randn(200)))
    assert noise["picture_gain_explained"] < 0.1
