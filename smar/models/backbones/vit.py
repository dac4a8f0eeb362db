"""Vision Transformers: ViT, DeiT, DINOv2 and DINOv3, with or without registers.

The class token stands for the picture; registers, which belong to no place, come after it and are
left out.
"""

from smar.models.backbones.family import Config, Family, PictureFacts


def _facts(config: Config) -> PictureFacts:
    registers = getattr(config, "num_register_tokens", 0) or 0
    distilled = 1 if config.model_type == "deit" else 0
    return PictureFacts(pooling="cls", prefix=1 + registers + distilled, patch=config.patch_size)


FAMILY = Family(
    name="vision Transformers (ViT, DeiT, DINOv2, DINOv3)",
    types=frozenset(
        {
            "vit",
            "deit",
            "vit_msn",
            "dinov2",
            "dinov2_with_registers",
            "dinov3_vit",
        }
    ),
    pictures=_facts,
)
