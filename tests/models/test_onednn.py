"""Products of linear layers by oneDNN are those of Torch, gradients included."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models import onednn
from smar.models.onednn import Linear, PatchConv, by_onednn, product, takes

pytestmark = pytest.mark.skipif(
    not onednn._is_faster(), reason="the processor has no AVX-512, or this Torch no oneDNN"
)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def gradients(layer: nn.Linear, rows: Tensor, *, plain: bool) -> list[Tensor]:
    """Return outputs [..., 7] of a layer and the gradients of all that has one."""
    rows = rows.clone().requires_grad_()
    layer.zero_grad()
    output = functional.linear(rows, layer.weight, layer.bias) if plain else layer(rows)
    (output * drawn(*output.shape)).sum().backward()
    found = [output, rows.grad, *(p.grad for p in layer.parameters() if p.requires_grad)]
    return [each.detach().clone() for each in found if each is not None]


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("shape", [(130, 5), (64, 5), (9, 13, 5), (3, 4, 11, 5)])
def test_outputs_and_gradients_are_those_of_torch(shape: tuple[int, ...], *, has_bias: bool):
    layer = Linear(5, 7, bias=has_bias)
    rows = drawn(*shape)
    assert takes(rows, layer.weight)
    expected = gradients(layer, rows, plain=True)
    for found, value in zip(gradients(layer, rows, plain=False), expected, strict=True):
        assert torch.allclose(found, value, rtol=1e-5, atol=1e-5)
        assert found.stride() == value.stride()


def test_rows_and_gradients_with_gaps_are_taken_too():
    layer = Linear(5, 7)
    rows = drawn(5, 130).t().requires_grad_()
    output = layer(rows)
    assert torch.allclose(output, functional.linear(rows, layer.weight, layer.bias), atol=1e-5)
    output.sum().backward()  # its gradient is one number that stands everywhere
    assert torch.allclose(layer.weight.grad, rows.sum(0).expand(7, 5), atol=1e-4)
    assert torch.allclose(rows.grad, layer.weight.sum(0).expand(130, 5), atol=1e-5)


def test_what_is_frozen_has_no_gradient():
    layer = Linear(5, 7)
    layer.weight.requires_grad_(False)
    layer(drawn(130, 5)).sum().backward()
    assert layer.weight.grad is None
    assert torch.allclose(layer.bias.grad, torch.full((7,), 130.0))


def test_the_right_matrix_of_a_product_may_be_transposed():
    left, right = drawn(70, 6), drawn(6, 80)
    assert torch.allclose(product(left, right.t()), left @ right, atol=1e-5)


@pytest.mark.parametrize("has_channels_last", [True, False])
@pytest.mark.parametrize(("size", "edge"), [((20, 15), (5, 5)), ((6, 4), (3, 2)), ((4, 3), (1, 1))])
def test_patches_and_their_gradients_are_those_of_a_convolution(
    size: tuple[int, int], edge: tuple[int, int], *, has_channels_last: bool
):
    convolution = nn.Conv2d(3, 7, edge, edge)
    layer = nn.Sequential(nn.Conv2d(3, 7, edge, edge))
    layer[0].load_state_dict(convolution.state_dict())
    by_onednn(layer)
    assert type(layer[0]) is PatchConv
    pictures = drawn(40, 3, *size)
    if has_channels_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    found = []
    for module in (convolution, layer):
        seen = pictures.clone(memory_format=torch.preserve_format).requires_grad_()
        maps = module(seen)
        (maps * drawn(*maps.shape)).sum().backward()
        found.append([maps, seen.grad, *(p.grad for p in module.parameters())])
    for expected, value in zip(*found, strict=True):
        assert torch.allclose(value, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_gradient_of_maps_has_the_layout_of_the_maps(layout: torch.memory_format):
    maps = drawn(40, 8, 20, 15).contiguous(memory_format=layout).requires_grad_()
    seen: list[Tensor] = []
    before = maps * 1
    before.register_hook(seen.append)  # what the layer before gets, not a copy in a leaf's layout
    PatchConv(8, 7, 5, 5)(before).sum().backward()
    assert seen[0].is_contiguous(memory_format=layout)


def test_windows_that_overlap_or_do_not_fit_stay_convolutions():
    kinds: list[dict[str, Any]] = [
        {"stride": 2},
        {"stride": 3, "padding": 1},
        {"stride": 3, "groups": 3},
        {"stride": 3, "dilation": 2},
    ]
    module = nn.Sequential(*(nn.Conv2d(3, 6, 3, **kind) for kind in kinds))
    by_onednn(module)
    assert [type(layer) for layer in module] == [nn.Conv2d] * 4
    pictures = drawn(40, 3, 8, 7)  # two rows and a column are left over
    expected = nn.Conv2d(3, 6, 3, 3)
    layer = PatchConv(3, 6, 3, 3)
    layer.load_state_dict(expected.state_dict())
    assert torch.equal(layer(pictures), expected(pictures))


def test_few_rows_other_numbers_and_autocast_are_left_to_torch():
    layer = Linear(5, 7)
    assert not takes(drawn(63, 5), layer.weight)
    assert not takes(drawn(130, 5).double(), layer.weight)
    assert not takes(drawn(130, 5).to("meta"), layer.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not takes(drawn(130, 5), layer.weight)
        assert layer(drawn(130, 5)).dtype == torch.bfloat16


def test_layers_change_in_place_and_keep_their_names_and_weights():
    module = nn.Sequential(nn.Linear(5, 7), nn.Sequential(nn.GELU(), nn.Linear(7, 3)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    output = module(drawn(130, 5))
    by_onednn(module)
    assert [type(layer) for layer in module.modules()].count(Linear) == 2
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.allclose(module(drawn(130, 5)), output, atol=1e-5)


def test_a_module_of_another_kind_is_left_alone():
    attention = nn.MultiheadAttention(8, 2)
    by_onednn(attention)
    assert type(attention.out_proj) is not Linear
