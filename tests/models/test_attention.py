"""Attention of many short texts at once is that of each text by itself, gradients included."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import ViTConfig
from transformers.models.vit.modeling_vit import ViTAttention

from smar.models import attention, onednn
from smar.models.attention import PictureAttention, attended, by_products

RUNS = [(9, 1), (5, 12), (3, 13), (4, 16), (2, 17), (1, 32)]
BLANK = 5

needs_wide = pytest.mark.skipif(
    not onednn._is_faster(), reason="the processor has no AVX-512, or this Torch no oneDNN"
)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def maps(*, has_bias: bool = True) -> list[nn.Linear]:
    torch.manual_seed(3)
    return [nn.Linear(10, 24, bias=has_bias) for _ in range(3)]


def one_by_one(states: Tensor, layers: list[nn.Linear], runs: list[tuple[int, int]]) -> Tensor:
    """Return what each row sees, [R, 24], with three heads of 8 numbers, text after text."""
    found, start = [], 0
    for tokens in [tokens for texts, tokens in runs for _ in range(texts)]:
        text = states[start : start + tokens]
        heads = [layer(text).view(tokens, 3, 8).transpose(0, 1) for layer in layers]
        score = heads[0] @ heads[1].transpose(1, 2) * 0.4
        found.append((score.softmax(2) @ heads[2]).transpose(0, 1).flatten(1))
        start += tokens
    return torch.cat([*found, states.new_zeros(len(states) - start, 24)])


def rows_of(runs: list[tuple[int, int]]) -> int:
    return sum(texts * tokens for texts, tokens in runs) + BLANK


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("runs", [RUNS, [*RUNS, (2, 33), (1, 40)], [(3, 40)]])
def test_what_rows_see_and_all_gradients_are_those_of_text_after_text(
    runs: list[tuple[int, int]], *, has_bias: bool
):
    found = []
    for is_whole in (False, True):
        layers = maps(has_bias=has_bias)
        states = drawn(rows_of(runs), 10).requires_grad_()
        if is_whole:
            seen = attended(states, layers, runs, 3, 0.4)
        else:
            seen = one_by_one(states, layers, runs)
        (seen * drawn(*seen.shape)).sum().backward()
        weights = [p.grad for layer in layers for p in layer.parameters()]
        found.append([seen, states.grad, *weights])
    for expected, value in zip(*found, strict=True):
        assert torch.allclose(value, expected, rtol=1e-5, atol=2e-5)


@needs_wide
def test_short_texts_go_at_once_and_the_others_to_torch(monkeypatch: pytest.MonkeyPatch):
    taken: list[Any] = []
    own = attention._of_short

    def seen(mapped: Tensor, runs: Any, scale: float) -> Tensor:
        taken.append(runs)
        return own(mapped, runs, scale)

    monkeypatch.setattr(attention, "_of_short", seen)
    for runs in (RUNS, [*RUNS, (2, 33)]):
        attended(drawn(rows_of(runs), 10), maps(), runs, 3, 0.4)
    assert taken == [RUNS, RUNS]
    attended(drawn(rows_of([(2, 13)]), 10), maps(), [(2, 13)], 3, 0.4)  # few rows: one query
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attended(drawn(rows_of(RUNS), 10), maps(), RUNS, 3, 0.4)
    assert len(taken) == 2


def test_gradients_are_those_of_small_differences():
    mapped = drawn(2 * 3 + 17 + 1, 3, 2, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda given: attention._AtOnce.apply(given, [(2, 3), (1, 17)], 0.7), mapped
    )


def test_equal_keys_give_the_mean_of_the_own_text_and_blank_rows_see_nothing():
    mapped = drawn(rows_of(RUNS), 3, 3, 8)
    mapped[:, 1] = 1.5
    seen = attention._AtOnce.apply(mapped, RUNS, 0.4).view(-1, 3, 8)
    assert torch.equal(seen[-BLANK:], torch.zeros(BLANK, 3, 8))
    assert torch.allclose(seen[:9], mapped[:9, 2], atol=1e-6)  # a single token sees itself
    texts = mapped[9 : 9 + 60, 2].view(5, 12, 3, 8)
    expected = texts.mean(1, keepdim=True).expand_as(texts)
    assert torch.allclose(seen[9 : 9 + 60].view(5, 12, 3, 8), expected, atol=1e-6)


def test_large_scores_stay_finite():
    mapped = drawn(13 * 5, 3, 2, 4).mul_(1e4).requires_grad_()
    seen = attention._AtOnce.apply(mapped, [(5, 13)], 1.0)
    seen.sum().backward()
    assert bool(torch.isfinite(seen).all())
    assert bool(torch.isfinite(mapped.grad).all())


def test_a_gradient_with_gaps_is_taken_too():
    found = []
    for gradient in (drawn(16, 39).t(), drawn(16, 39).t().contiguous()):
        mapped = drawn(39, 3, 2, 8).requires_grad_()
        attention._AtOnce.apply(mapped, [(3, 13)], 0.4).backward(gradient)
        found.append(mapped.grad)
    assert torch.equal(*found)


def pictures_attention(**settings: Any) -> nn.Sequential:
    torch.manual_seed(1)
    config = ViTConfig(hidden_size=24, num_attention_heads=3, **settings)
    config._attn_implementation = "sdpa"
    return nn.Sequential(ViTAttention(config))


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_what_patches_see_and_its_gradients_are_those_of_the_library(*, qkv_bias: bool):
    found = []
    for is_own in (False, True):
        module = pictures_attention(qkv_bias=qkv_bias)
        names = list(module.state_dict())
        if is_own:
            by_products(module)
            assert type(module[0]) is PictureAttention
            assert list(module.state_dict()) == names
        states = drawn(9, 13, 24).requires_grad_()
        seen = module(states)[0]
        (seen * drawn(*seen.shape)).sum().backward()
        found.append([seen, states.grad, *(p.grad for p in module.parameters())])
    for expected, value in zip(*found, strict=True):
        assert torch.allclose(value, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["few", "many tokens", "mask", "dropout", "weights"])
def test_other_pictures_are_left_to_the_library(case: str, monkeypatch: pytest.MonkeyPatch):
    module = pictures_attention(attention_probs_dropout_prob=0.5 if case == "dropout" else 0.0)
    states = {"few": drawn(1, 13, 24), "many tokens": drawn(3, 33, 24)}.get(case, drawn(9, 13, 24))
    given: dict[str, Any] = {}
    if case == "mask":
        given["attention_mask"] = torch.ones(9, 1, 13, 13, dtype=torch.bool).tril()
    if case == "weights":
        module[0].config._attn_implementation = "eager"
    monkeypatch.setattr(attention, "attended", lambda *_: pytest.fail("taken at once"))
    found = []
    for _ in range(2):
        torch.manual_seed(2)
        found.append(module[0](states, **given))
        by_products(module)
    assert torch.equal(found[0][0], found[1][0])
    if case == "weights":
        assert torch.equal(found[0][1], found[1][1])


def test_attention_as_a_gpu_takes_it_is_the_same(monkeypatch: pytest.MonkeyPatch):
    layers, states = maps(), drawn(rows_of(RUNS), 10)
    expected = one_by_one(states, layers, RUNS)
    monkeypatch.setattr(attention, "takes", lambda *_: False)
    assert torch.allclose(attended(states, layers, RUNS, 3, 0.4), expected, atol=1e-5)
