"""CLIP: texts by their end-of-text token, pictures by the class token, a projection for each.

The text model is causal: only its end-of-text token has seen the whole text.
"""

from typing import Any

from smar.models.backbones.family import Config, Family, PictureFacts, TextFacts, only_other_half


def _text(config: Config) -> TextFacts:
    return TextFacts(pooling="own", is_causal=True, positions=config.max_position_embeddings)


def _pictures(config: Config) -> PictureFacts:
    return PictureFacts(pooling="own", prefix=1, patch=config.patch_size)


def _take(model: Any, part: str) -> tuple[Any, Any]:
    half = getattr(model, f"{part}_model", model)
    name = "text_projection" if part == "text" else "visual_projection"
    return half, getattr(model, name, None)


def _states(backbone: Any, states: Any) -> Any:
    """Return patches normed like the class token, which the model norms alone."""
    norm = getattr(backbone, "post_layernorm", None)
    return states if norm is None else norm(states)


FAMILY = Family(
    name="CLIP",
    types=frozenset({"clip", "clip_text_model", "clip_vision_model"}),
    text=_text,
    pictures=_pictures,
    is_pair=True,
    take=_take,
    states=_states,
    refusal=only_other_half,
)
