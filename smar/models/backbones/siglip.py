"""SigLIP and SigLIP 2: pictures by attention pooling, texts by the last of a fixed number.

Texts are lower-cased and padded to the model's length, and the padding is read: the last position
stands for the text whatever its length. The picture model has no class token.
"""

from typing import Any

from smar.models.backbones.family import Config, Family, PictureFacts, TextFacts, only_other_half


def _text(config: Config) -> TextFacts:
    length = config.max_position_embeddings
    return TextFacts(pooling="own", positions=length, padded_to=length, lowers=True)


def _pictures(config: Config) -> PictureFacts:
    own = "own" if getattr(config, "vision_use_head", True) else "mean"
    return PictureFacts(pooling=own, patch=config.patch_size)


def _take(model: Any, part: str) -> tuple[Any, Any]:
    """Return a half; the linear layer after the text's pooled state is its projection."""
    import torch  # facts are read without it

    half = getattr(model, f"{part}_model", model)
    if not isinstance(getattr(half, "head", None), torch.nn.Linear):  # that of pictures pools
        return half, None
    head, half.head = half.head, torch.nn.Identity()
    return half, head


def _refusal(config: Config, part: str) -> str:
    if lacks := only_other_half(config, part):
        return lacks
    if part == "vision" and config.model_type.startswith("siglip2"):
        return (
            "it is a NaFlex checkpoint, whose pictures are lists of patches of any number; choose "
            "a SigLIP 2 checkpoint of a fixed size, such as google/siglip2-base-patch16-224"
        )
    return ""


FAMILY = Family(
    name="SigLIP",
    types=frozenset(
        {
            "siglip",
            "siglip_text_model",
            "siglip_vision_model",
            "siglip2",
            "siglip2_text_model",
            "siglip2_vision_model",
        }
    ),
    text=_text,
    pictures=_pictures,
    is_pair=True,
    classes={"siglip_text_model": "SiglipTextModel", "siglip2_text_model": "Siglip2TextModel"},
    take=_take,
    refusal=_refusal,
)
