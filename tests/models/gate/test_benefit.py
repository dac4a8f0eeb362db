"""The gate by what the picture brings, against least squares and planted gains."""

import math

import numpy as np
import pytest
import torch

from smar.models.gate.base import GateWidths
from smar.models.gate.benefit import KindGate, Params, wrong_frac
from smar.models.gate.teaching import Benefit
from smar.models.text import TowerOutput

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


def towers(agreement: torch.Tensor) -> tuple[TowerOutput, TowerOutput, torch.Tensor]:
    """Return texts, pictures that agree with them so far, and what the fusion made of both."""
    text = torch.tensor([[1.0, 0.0]]).repeat(len(agreement), 1)
    image = torch.stack([agreement, (1 - agreement**2).sqrt()], 1)
    fused = torch.tensor([[0.0, 1.0]]).repeat(len(agreement), 1)
    one = torch.ones(1)
    outputs = [TowerOutput(e[:, None], e, one, e, one) for e in (text, image)]
    return outputs[0], outputs[1], fused


def agreements(wrong: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return those of 4,000 pictures, of which some are another item's, and of exchanged ones."""
    torch.manual_seed(7)
    own, exchanged = 0.6 + 0.1 * torch.randn(4000), 0.1 * torch.randn(4000)
    own[: int(4000 * wrong)] = 0.1 * torch.randn(int(4000 * wrong))
    return own, exchanged


def test_picture_of_another_item_leaves_the_item_to_its_text():
    gate = KindGate(WIDTHS, Params())
    seen = towers(torch.tensor([-0.1, 0.0, 0.5, 0.6]))
    assert gate.fold(*seen).tolist() == [[0.0, 1.0]] * 4
    figures = gate.settle(Benefit(torch.randn(20, 5), torch.randn(20), *agreements(0.1)))
    of_text = gate.fold(*seen)[:, 0]
    assert (of_text[:2] > 0.8).all()
    assert (of_text[2:] < 0.2).all()
    assert 0.85 < figures["picture_trust_own"] < 0.95
    assert figures["picture_trust_exchanged"] < 0.5


@pytest.mark.parametrize(("doubt", "wrong"), [(0.1, 0.5), (1.0, 0.5), (1.0, 0.1)])
def test_trust_weighs_exchanged_pictures_by_the_wrong_ones_that_are_seen(
    doubt: float, wrong: float
):
    """Wrong pictures never agree and right ones do: the logit where none agrees is known."""
    own = torch.cat([torch.zeros(int(4000 * wrong)), torch.ones(4000 - int(4000 * wrong))])
    gate = KindGate(WIDTHS, Params(doubt=doubt))
    gate.settle(Benefit(torch.randn(20, 5), torch.randn(20), own, torch.zeros(4000)))
    odds = wrong / min(doubt, 2 * wrong)
    assert gate.trust.bias.item() == pytest.approx(math.log(odds), abs=0.05)


@pytest.mark.parametrize(
    ("doubt", "own"), [(0.0, torch.ones(5)), (0.1, torch.zeros(0)), (0.1, -torch.ones(5))]
)
def test_pictures_are_trusted_where_nothing_tells_wrong_ones(doubt: float, own: torch.Tensor):
    gate = KindGate(WIDTHS, Params(doubt=doubt))
    figures = gate.settle(Benefit(torch.randn(20, 5), torch.randn(20), own, torch.zeros(len(own))))
    assert figures["picture_trust_own"] == 1.0
    assert gate.fold(*towers(torch.tensor([-1.0]))).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(("wrong", "is_doubted"), [(0.5, True), (0.6, True), (0.9, False)])
def test_pictures_are_trusted_where_their_agreement_does_not_tell_which_are_right(
    wrong: float, *, is_doubted: bool
):
    """Own pictures that agree as exchanged ones do are no evidence that all of them are wrong."""
    gate = KindGate(WIDTHS, Params())
    figures = gate.settle(Benefit(torch.randn(20, 5), torch.randn(20), *agreements(wrong)))
    assert (figures["picture_trust_own"] < 1) == is_doubted


@pytest.mark.parametrize("wrong", [0.0, 0.02, 0.1, 0.3, 0.8])
def test_share_of_wrong_pictures_is_seen_in_how_little_they_agree(wrong: float):
    own, exchanged = (each.double().numpy() for each in agreements(wrong))
    assert wrong_frac(own, exchanged) == pytest.approx(wrong, abs=0.03)
    assert wrong_frac(own[::-1], exchanged[::-1]) == wrong_frac(own, exchanged)


def test_share_of_wrong_pictures_is_at_most_what_lies_below_any_agreement():
    """Half of the right pictures agree as little as wrong ones: they can't be told from these."""
    agreeing = np.linspace(0.5, 1, 100)
    own = np.concatenate([np.linspace(-0.1, 0.1, 100), agreeing])
    assert wrong_frac(own, np.linspace(-0.1, 0.1, 400)) == pytest.approx(0.5, abs=0.03)
    assert wrong_frac(agreeing, np.zeros(1)) == 0


def test_right_pictures_are_all_trusted():
    gate = KindGate(WIDTHS, Params())
    figures = gate.settle(Benefit(torch.randn(20, 5), torch.randn(20), *agreements(0.0)))
    assert figures["picture_trust_own"] == figures["picture_trust_exchanged"] == 1.0


def test_gate_of_before_there_was_trust_trusts_every_picture():
    old = {name: v for name, v in KindGate(WIDTHS, Params()).state_dict().items() if "line" in name}
    gate = KindGate(WIDTHS, Params())
    gate.load_state_dict(old, strict=True)
    assert gate.trust.bias.item() == 40.0
