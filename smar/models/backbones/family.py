"""What a family of pretrained models says of itself: how its states are read and pooled.

A family is a file of this folder with a `FAMILY`. None of them imports torch, so that a checkpoint
can be refused before anything slow is loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Config = Any  # a transformers.PretrainedConfig


@dataclass(frozen=True)
class TextFacts:
    """How a family's text model is read.

    Args:
        pooling: As it was trained: "mean", "cls" (first token), "last" (last real token) or "own"
            (the pooled state that the model gives).
        is_causal: Whether a token sees only those before it; the first then sees nothing.
        positions: Most tokens that it can take; 0 = any number.
        padded_to: Every text is padded to so many tokens, which the model reads like real ones;
            0 = no padding is read.
        lowers: Whether it was trained on lower-cased texts.
    """

    pooling: str
    is_causal: bool = False
    positions: int = 0
    padded_to: int = 0
    lowers: bool = False


@dataclass(frozen=True)
class PictureFacts:
    """How a family's picture model is read.

    Args:
        pooling: As it was trained: "cls" (first state), "mean" (over the patches) or "own" (the
            pooled state that the model gives: attention pooling, a norm after the mean, ...).
        prefix: States before those of the patches: class token and registers.
        patch: Edge of a patch in pixels, which has to divide pictures; 1 = any size.
    """

    pooling: str
    prefix: int = 0
    patch: int = 1


def _is_whole(model: Any, _part: str) -> tuple[Any, Any]:
    return model, None


def _as_they_are(_backbone: Any, states: Any) -> Any:
    return states


def only_other_half(config: Config, part: str) -> str:
    """Return why a checkpoint that is one half of a pair lacks a part, "" if it has it.

    Args:
        config: Of the part where the checkpoint has both, else of the half that there is.
        part: "text" or "vision".
    """
    half = next((of for of in ("text", "vision") if config.model_type.endswith(f"_{of}_model")), "")
    if half in {"", part}:
        return ""
    lacks = "reads no texts" if part == "text" else "sees no pictures"
    return f"it is the {half} half of a pair alone ('{config.model_type}'), which {lacks}"


@dataclass(frozen=True)
class Family:
    """One family.

    Args:
        name: As messages call it.
        types: Its `model_type`s in transformers, those of its halves included.
        text: Facts of a text model from its config; None if it reads no texts.
        pictures: Facts of a picture model from its config; None if it sees no pictures.
        is_pair: Whether its whole models put texts and pictures into one space.
        classes: Class of transformers that is loaded for a model type, where it is not the one of
            `AutoModel`.
        take: Whole model and part ("text", "vision") to that part and the projection into the
            shared space, None if it has none. A part alone is taken as well.
        states: Backbone and its last states to the states that others may attend to.
        refusal: Why a config cannot be used, "" if it can.
    """

    name: str
    types: frozenset[str]
    text: Callable[[Config], TextFacts] | None = None
    pictures: Callable[[Config], PictureFacts] | None = None
    is_pair: bool = False
    classes: Mapping[str, str] = field(default_factory=dict)
    take: Callable[[Any, str], tuple[Any, Any]] = _is_whole
    states: Callable[[Any, Any], Any] = _as_they_are
    refusal: Callable[[Config, str], str] = lambda _config, _part: ""
