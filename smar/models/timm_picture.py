"""Picture models of timm as one of transformers: one output for maps and for lists of patches.

Shapes: M pictures, P places, H channels.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndNoAttention

from smar.errors import ParamsError
from smar.models.own_configs import TimmPictureConfig


def load_timm() -> ModuleType:
    """Return timm.

    Raises:
        ParamsError: If it is not installed, or cannot be used as it is installed.
    """
    try:
        import timm
    except ImportError as error:
        raise ParamsError(
            f"a picture model of timm needs timm, which is not installed ({error}): "
            "`pip install '.[timm]'`."
        ) from error
    except RuntimeError as error:  # torchvision built for another torch
        raise ParamsError(
            f"timm is installed and cannot be used ({error}). torchvision has to be built for the "
            f"same torch ({torch.__version__}): take both from one index."
        ) from error
    return timm


class TimmPictureModel(PreTrainedModel):  # type: ignore[misc]  # transformers has no types
    """A network of timm without its classifier.

    Args:
        config: Its architecture; `prove` fills in the rest.
    """

    config_class = TimmPictureConfig
    main_input_name = "pixel_values"

    def __init__(self, config: TimmPictureConfig) -> None:
        super().__init__(config)
        timm = load_timm()
        try:
            self.network: Any = timm.create_model(
                config.architecture, pretrained=False, num_classes=0, **config.model_args
            )
        except (RuntimeError, TypeError) as error:
            raise ParamsError(
                f"timm {timm.__version__} cannot build '{config.architecture}' ({error})."
            ) from error
        self.pools_its_states = self.network.num_features == getattr(
            self.network, "head_hidden_size", self.network.num_features
        )
        self.post_init()

    @classmethod
    def from_pretrained(cls, path: Any, *_: Any, config: TimmPictureConfig, **others: Any) -> Any:
        """Return the model of a folder, and what transformers tells of loading if asked for.

        Built as it is trained, for a few networks compute parts of themselves when they are made.
        """
        model = cls(config)
        told = model.load_state_dict(load_file(Path(path) / "model.safetensors"), strict=False)
        model.float().eval()
        report = {"missing_keys": list(told.missing_keys)}
        return (model, report) if others.get("output_loading_info") else model

    def _init_weights(self, module: Any) -> None:
        """Leave weights as timm begins them."""

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool = False, **_others: Any
    ) -> BaseModelOutputWithPoolingAndNoAttention:
        """Return states [M, P, H] or a map [M, H, h, w], and what pools them [M, H].

        Hidden states are the maps of a network's stages, and None of a list of patches.
        """
        hidden = None
        is_map = self.config.patch_size == 1
        if output_hidden_states and is_map and hasattr(self.network, "forward_intermediates"):
            states, hidden = self.network.forward_intermediates(pixel_values, output_fmt="NCHW")
        else:
            states = self.network.forward_features(pixel_values)
        if self.pools_its_states:
            pooled = self.network.forward_head(states, pre_logits=True)
        else:  # a layer behind the pooling would make another width
            pooled = self._channels_first(states).mean((2, 3))
        return BaseModelOutputWithPoolingAndNoAttention(
            last_hidden_state=self._channels_first(states),
            pooler_output=pooled,
            hidden_states=tuple(hidden) if hidden else None,
        )

    def _channels_first(self, states: Tensor) -> Tensor:
        is_last = str(getattr(self.network, "output_fmt", "")) == "NHWC"
        return states.permute(0, 3, 1, 2) if is_last and states.dim() == 4 else states

    @torch.no_grad()
    def prove(self) -> Self:
        """Look at one blank picture, and fill in what the config says of places.

        Raises:
            ParamsError: If the output is none that towers read.
        """
        size: Any = self.config.image_size
        height, width = (size, size) if isinstance(size, int) else size
        self.eval()
        self.config.hidden_size = int(self.network.num_features)
        output = self(torch.zeros(1, 3, height, width))
        states = output.last_hidden_state
        places = states.shape[1] if states.dim() == 3 else 0
        if places:
            prefix = int(getattr(self.network, "num_prefix_tokens", 0))
            patch = self.network.patch_embed.patch_size[0]
            fits = places == prefix + (height // patch) * (width // patch)
            self.config.prefix, self.config.patch_size = prefix, int(patch)
        else:
            fits = states.dim() == 4
        shapes = tuple(output.pooler_output.shape), self.config.hidden_size
        if not fits or shapes[0] != (1, shapes[1]):
            raise ParamsError(
                f"timm's {self.config.architecture} gives states {tuple(states.shape)} and a "
                f"pooled one {shapes[0]} for a picture of {height} x {width}; expected a list of "
                "patches or a map, and one pooled state of the same width."
            )
        return self
