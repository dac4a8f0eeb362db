"""Families of pretrained models: a file each, found by the `model_type` of a config."""

from smar.models.backbones import (
    clip,
    decoder,
    efficientnet_lite,
    encoder,
    feature_map,
    siglip,
    t5,
    timm_picture,
    vit,
)
from smar.models.backbones.family import Family, PictureFacts, TextFacts

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY
    for module in (
        encoder,
        decoder,
        t5,
        clip,
        siglip,
        vit,
        feature_map,
        efficientnet_lite,
        timm_picture,
    )
)

__all__ = ["FAMILIES", "Family", "PictureFacts", "TextFacts", "family_of"]


def family_of(model_type: str) -> Family | None:
    """Return the family of a model type, None if no adapter knows it."""
    return next((family for family in FAMILIES if model_type in family.types), None)
