"""Linear layers, and convolutions that are none, whose products oneDNN computes where it is faster.

Torch gives float32 products to MKL, which leaves AVX-512 alone on processors of another maker than
its own. oneDNN, which Torch brings for convolutions and bfloat16, asks what a processor can do:
218 GFLOP/s in place of 105 on one core of an AMD EPYC (Zen 5), in the same precision.

Shapes: R rows, I inputs of a layer, O outputs, K numbers that a product sums over, M pictures, P
patches of one.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_LEAST = 64  # rows; of fewer, as of one query, making a product ready takes longer than it gains


def by_onednn(module: nn.Module) -> None:
    """Let oneDNN compute the products of a module's linear layers and patches, in place.

    Names, weights and results stay as they are, but for the last bits of what is computed. Where
    oneDNN gains nothing (a GPU, bfloat16, few rows, a graph for export) Torch computes as before.
    """
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = Linear
        elif type(layer) is nn.Conv2d and _has_patches(layer):
            layer.__class__ = PatchConv


def _has_patches(layer: nn.Conv2d) -> bool:
    """Return whether each pixel belongs to one window of a convolution."""
    is_plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return is_plain and layer.kernel_size == layer.stride and layer.padding in ("valid", (0, 0))


class Linear(nn.Linear):
    """`x W^T + b` by oneDNN where that is faster.

    Example:
        >>> layer = Linear(3, 2)
        >>> tuple(layer(torch.ones(5, 4, 3)).shape)
        (5, 4, 2)
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - Torch's name
        """Return outputs [..., O] of inputs [..., I]."""
        if not takes(input, self.weight):
            return functional.linear(input, self.weight, self.bias)
        return linear(input, self.weight, self.bias)


class PatchConv(nn.Conv2d):
    """A convolution whose windows do not overlap: one product of all patches with the weight.

    As such its gradients take a third of the time of a convolution's.

    Example:
        >>> tuple(PatchConv(3, 8, 5, 5)(torch.ones(40, 3, 20, 15)).shape)
        (40, 8, 4, 3)
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - Torch's name
        """Return maps [M, O, h, w] of pictures [M, C, h * edge, w * edge]."""
        high, wide = self.kernel_size
        fits = input.dim() == 4 and not (input.shape[2] % high or input.shape[3] % wide)
        if not (fits and takes(input[:, :, ::high, ::wide].permute(0, 2, 3, 1), self.weight)):
            return super().forward(input)
        num, channels, height, width = input.shape
        tall, broad = height // high, width // wide
        if input.is_contiguous() and not _has_channels_last(input):
            tiles = input.reshape(num, channels, tall, high, broad, wide).permute(0, 2, 4, 1, 3, 5)
            weight = self.weight
        else:  # lines of pixels stay whole, so that gradients come in the layout of the maps
            lines = input.permute(0, 2, 3, 1)
            tiles = lines.reshape(num, tall, high, broad, wide * channels).transpose(2, 3)
            weight = self.weight.permute(0, 2, 3, 1)
        return linear(tiles.flatten(3), weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def _has_channels_last(maps: Tensor) -> bool:
    return maps.is_contiguous(memory_format=torch.channels_last)


def takes(rows: Tensor, weight: Tensor) -> bool:
    """Return whether the product of rows [..., I] with a weight [O, I] is oneDNN's."""
    return (
        rows.numel() >= _LEAST * rows.shape[-1]
        and rows.device.type == weight.device.type == "cpu"
        and rows.dtype == weight.dtype == torch.float32
        and _is_faster()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
    )


@cache
def _is_faster() -> bool:
    has_wide = bool(torch.cpu.get_capabilities().get("avx512_f"))
    return has_wide and torch._C._has_mkldnn


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `left right^T + bias`, [..., O], of [..., K], [O, K] and [O]; float32, no gradients.

    The right one may be the transposed of a matrix without gaps: nothing is copied for that.
    """
    found: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return found


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return `x W^T + b`, [..., O], of what `takes` lets through, with gradients of all three."""
    found: Tensor = _Linear.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    return found


class _Linear(torch.autograd.Function):
    """`x W^T + b` of x [..., I], W [O, I] and b [O]; `dx = g W`, `dW = g^T x`, `db = sum g`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the outputs, [..., O]."""
        ctx.save_for_backward(rows, weight)
        return product(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the three."""
        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        found = product(gradient, weight.t()) if of_rows else None
        lines = gradient.flatten(0, -2)  # [R, O]
        if not of_weight:
            return found, None, lines.sum(0) if of_bias else None
        return found, *_weights(lines, rows.flatten(0, -2), weight, has_bias=of_bias)


def _weights(
    gradient: Tensor, rows: Tensor, weight: Tensor, *, has_bias: bool
) -> tuple[Tensor, Tensor | None]:
    """Return `g^T x` [O, I], and `sum g` [O] if there is a bias, of g [R, O] and x [R, I]."""
    of_weight, of_bias = torch.ops.aten.mkldnn_linear_backward_weights(
        gradient.to_mkldnn(), rows.to_mkldnn(), weight, has_bias
    )
    return of_weight, of_bias if has_bias else None
