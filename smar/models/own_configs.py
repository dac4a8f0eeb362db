"""Configs of the models that smar brings itself, for transformers has none of their kind."""

from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from smar.models.backbones import timm_picture
from smar.models.backbones.efficientnet_lite import MODEL_TYPE

# Repeats, kernel, stride, expansion, channels of each stage of B0 (table 1 of the paper).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EfficientNetLiteConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers has no types
    """Sizes of a network.

    Args:
        image_size: Edge of the pictures that it was trained on, in pixels; it takes any size.
        stem: Channels of the first convolution.
        hidden_size: Channels of the last map.
        stages: Repeats, kernel, stride, expansion and channels of each stage; those of Lite0.
        others: Of every config.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        image_size: int = 224,
        stem: int = 32,
        hidden_size: int = 1280,
        stages: Any = _STAGES,
        **others: Any,
    ) -> None:
        self.image_size, self.stem, self.hidden_size = image_size, stem, hidden_size
        self.stages = [list(stage) for stage in stages]
        super().__init__(**others)


class TimmPictureConfig(PreTrainedConfig):  # type: ignore[misc]  # as above
    """What builds a network of timm, and how its states lie.

    Args:
        architecture: As timm calls it.
        model_args: Further arguments of its constructor.
        image_size: Height and width of its pictures in pixels, or the edge of square ones.
        hidden_size: Width of its states.
        prefix: States before those of patches.
        patch_size: Edge of a patch in pixels; 1 where states are a map.
        others: Of every config.
    """

    model_type = timm_picture.MODEL_TYPE

    def __init__(
        self,
        architecture: str = "",
        model_args: Any = None,
        image_size: Any = 224,
        hidden_size: int = 0,
        prefix: int = 0,
        patch_size: int = 1,
        **others: Any,
    ) -> None:
        self.architecture, self.model_args = architecture, dict(model_args or {})
        self.image_size, self.hidden_size = image_size, hidden_size
        self.prefix, self.patch_size = prefix, patch_size
        super().__init__(**others)


OWN = frozenset({MODEL_TYPE, timm_picture.MODEL_TYPE})


def register_configs() -> None:
    """Let transformers read the configs of smar's own models; torch is not imported."""
    AutoConfig.register(MODEL_TYPE, EfficientNetLiteConfig, exist_ok=True)
    AutoConfig.register(timm_picture.MODEL_TYPE, TimmPictureConfig, exist_ok=True)
