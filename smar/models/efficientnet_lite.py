"""EfficientNet-Lite as a model of transformers, which has none.

The Lite networks (TensorFlow TPU repository, models/official/efficientnet/lite, 2020) are
EfficientNets (Tan and Le, ICML 2019) for small devices: ReLU6 instead of swish, no squeeze and
excitation, a stem and a head whose width does not grow. Padding is TensorFlow's "same", which hangs
on the size of the picture. Weights have the names of the published ports to PyTorch.

Shapes: M pictures, C channels.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndNoAttention

from smar.models.own_configs import EfficientNetLiteConfig

_EPSILON = 1e-3


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: as little as gives ceil(size / stride)."""

    def forward(self, pictures: Tensor) -> Tensor:
        sides: list[int] = []
        for axis in (1, 0):
            edge, stride = pictures.shape[2 + axis], self.stride[axis]
            missing = max((-(-edge // stride) - 1) * stride + self.kernel_size[axis] - edge, 0)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(pictures, sides))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)


class _Block(nn.Module):
    """An inverted residual block: expand, filter each channel, contract."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inner * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(inner, width, 1, bias=False)
            self._bn0 = _norm(width)
        self._depthwise_conv = _SameConv(width, width, kernel, stride, groups=width, bias=False)
        self._bn1 = _norm(width)
        self._project_conv = nn.Conv2d(width, outer, 1, bias=False)
        self._bn2 = _norm(outer)
        self.expands, self.adds = expansion > 1, stride == 1 and inner == outer

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps
        if self.expands:
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + maps if self.adds else inner


class EfficientNetLiteModel(PreTrainedModel):  # type: ignore[misc]  # transformers has no types
    """The network without its classifier.

    Args:
        config: Its sizes.
    """

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self._conv_stem = _SameConv(3, config.stem, 3, 2, bias=False)
        self._bn0 = _norm(config.stem)
        self._blocks = nn.ModuleList(_blocks_of(config))
        last = config.stages[-1][-1]
        self._conv_head = nn.Conv2d(last, config.hidden_size, 1, bias=False)
        self._bn1 = _norm(config.hidden_size)
        self.post_init()

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool = False, **_others: Any
    ) -> BaseModelOutputWithPoolingAndNoAttention:
        """Return the last map [M, C, h, w], its mean, and the map that each block gives."""
        maps = functional.relu6(self._bn0(self._conv_stem(pixel_values)))
        between = []
        for block in self._blocks:
            maps = block(maps)
            between.append(maps)
        last = functional.relu6(self._bn1(self._conv_head(maps)))
        return BaseModelOutputWithPoolingAndNoAttention(
            last_hidden_state=last,
            pooler_output=last.mean((2, 3)),
            hidden_states=tuple(between) if output_hidden_states else None,
        )


def _blocks_of(config: EfficientNetLiteConfig) -> Iterator[_Block]:
    inner = config.stem
    for repeats, kernel, stride, expansion, outer in config.stages:
        for number in range(repeats):
            yield _Block(inner, outer, kernel, stride if number == 0 else 1, expansion)
            inner = outer
