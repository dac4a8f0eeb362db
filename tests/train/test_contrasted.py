"""A start by contrast: words and pictures of one item come nearer, the closed form stays."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional

from smar.models.frozen import FeatureShape, Kept, PooledTop
from smar.train import contrasted as module
from smar.train.contrasted import Sides, contrasted

ITEMS, WORDS, WIDTH, SEEN = 64, 12, 4, 10


@pytest.fixture
def top() -> PooledTop:
    """Return an MLP whose first inner numbers are a linear map, as the closed form sets it."""
    torch.manual_seed(0)
    kept = Kept(tokens="1", levels=1, colour=False, hidden=8, layers=0, heads=1, adds=False)
    made = PooledTop(FeatureShape(pooled=6, places=1, widths=(4,)), kept, 8)
    with torch.no_grad():
        rows = torch.randn(WIDTH, SEEN)
        made.expand.weight[: 2 * WIDTH] = torch.cat([rows, -rows])
        made.expand.bias[: 2 * WIDTH] = 0
        made.contract.weight[:WIDTH] = 0
        made.contract.bias[:WIDTH] = 0
        eye = torch.eye(WIDTH)
        made.contract.weight[:WIDTH, : 2 * WIDTH] = torch.cat([eye, -eye], dim=1)
    return made


@pytest.fixture
def sides() -> Sides:
    """Return pictures that are sums of what their words look like."""
    rng = np.random.default_rng(2)
    bag = rng.random((ITEMS, WORDS)) < 0.3
    bag[np.arange(ITEMS), rng.integers(0, WORDS, ITEMS)] = True
    look = rng.normal(size=(WORDS, SEEN))
    return Sides((bag @ look).astype(np.float16), csr_matrix(bag.astype(np.float32)))


def mean_rank(top: PooledTop, sides: Sides, words: torch.Tensor) -> float:
    texts = functional.normalize(torch.from_numpy(sides.bag.toarray()) @ words, dim=1)
    inner = functional.gelu(top.expand(torch.from_numpy(sides.seen).float()))
    pictures = functional.normalize(top.contract(inner)[:, :WIDTH], dim=1)
    scores = texts @ pictures.T
    return float((scores > scores.diag()[:, None]).sum(1).float().mean())


def test_texts_find_their_pictures_better_and_the_linear_map_stays(
    top: PooledTop, sides: Sides, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_PASSES", 40)
    monkeypatch.setattr(module, "_RATE", 2e-2)
    words = functional.normalize(torch.randn(WORDS, WIDTH), dim=1)
    before = mean_rank(top, sides, words)
    linear = top.expand.weight[: 2 * WIDTH].clone(), top.expand.bias[: 2 * WIDTH].clone()
    other = top.expand.weight[2 * WIDTH :].clone()
    found = contrasted(top, sides, words)
    assert found.shape == words.shape
    assert mean_rank(top, sides, functional.normalize(found, dim=1)) < 0.6 * before
    assert torch.equal(top.expand.weight[: 2 * WIDTH], linear[0])
    assert torch.equal(top.expand.bias[: 2 * WIDTH], linear[1])
    assert not torch.equal(top.expand.weight[2 * WIDTH :], other)


def test_a_text_is_the_unit_sum_of_its_unit_words(sides: Sides, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LEFT_OUT", 0.0)
    words = 3 * torch.randn(WORDS, WIDTH)
    unit = functional.normalize(words, dim=1)
    expected = functional.normalize(torch.from_numpy(sides.bag.toarray()) @ unit, dim=1)
    assert torch.allclose(module._texts(words, sides.bag), expected, atol=1e-5)


def test_each_side_finds_the_other():
    scores = torch.randn(5, 5)
    own = torch.log_softmax(scores, 0).diag() + torch.log_softmax(scores, 1).diag()
    assert module._loss(scores) == pytest.approx(float(-own.mean() / 2), abs=1e-5)


def test_a_step_of_a_small_catalogue_is_a_part_of_it(top: PooledTop, sides: Sides, caplog):
    with caplog.at_level("INFO", logger="smar"):
        contrasted(top, sides, functional.normalize(torch.randn(WORDS, WIDTH), dim=1))
    assert "48 steps of 8 items" in caplog.text
