"""Towers before training: from a pretrained model, or from nothing."""

import json
import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from smar.errors import ParamsError
from smar.models.backbone import build_from_config, family_for, load_pretrained, new_config
from smar.models.frozen import Kept
from smar.models.frozen_image import FrozenImageTower
from smar.models.image import ImageTower
from smar.models.origin import Origin
from smar.models.preprocessing import PictureSettings
from smar.models.pretrained import Checkpoint
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer
from smar.params import FeaturesParams, ImageTowerParams, TextTowerParams

logger = logging.getLogger(__name__)


def build_text_tower(
    params: TextTowerParams,
    dim: int,
    tokenizer: TextTokenizer,
    vectors: int = 1,
    checkpoint: Checkpoint | None = None,
) -> TextTower:
    """Return a text tower, from a pretrained model if one is given, else from nothing."""
    if checkpoint:
        return _pretrained_text(params, dim, tokenizer, vectors, checkpoint)
    config = new_config(
        params.architecture,
        vocab_size=tokenizer.vocab_size,
        hidden_size=params.hidden,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        intermediate_size=4 * params.hidden,
        max_position_embeddings=max(params.max_tokens, 16),
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_id,
    )
    pooling = "mean" if params.pooling == "auto" else params.pooling
    return TextTower(build_from_config(config), dim, pooling, vectors)


def _pretrained_text(
    params: TextTowerParams,
    dim: int,
    tokenizer: TextTokenizer,
    vectors: int,
    checkpoint: Checkpoint,
) -> TextTower:
    facts = checkpoint.text_facts()
    pooling = checkpoint.text_pooling(params.pooling)
    backbone, head = load_pretrained(checkpoint, "text")
    reads = {
        "pooling": pooling,
        "padded_to": facts.padded_to,
        "max_tokens": tokenizer.max_tokens,
        "tokenizer": tokenizer.tokenizer.to_str(),
    }
    return TextTower(
        backbone,
        dim,
        pooling,
        vectors,
        head=head,
        padded_to=facts.padded_to,
        pad_id=tokenizer.pad_id,
        origin=_origin(params, checkpoint, reads),
    )


def build_image_tower(
    params: ImageTowerParams,
    dim: int,
    stored: tuple[int, int],
    checkpoint: Checkpoint | None = None,
    features: FeaturesParams | None = None,
) -> ImageTower:
    """Return an image tower, from a pretrained model if one is given, else from nothing.

    Args:
        params: The tower's parameters.
        dim: Embedding length.
        stored: Height and width of the stored pictures, in pixels.
        checkpoint: The pretrained model.
        features: What is kept of it where it is frozen; None for the defaults.

    Raises:
        ParamsError: If the patch does not divide the picture.
    """
    if checkpoint:
        return _pretrained_image(params, dim, stored, checkpoint, features or FeaturesParams())
    height, width = stored
    if height % params.patch or width % params.patch:
        raise ParamsError(
            f"model.image.patch: {params.patch} does not divide pictures of {height} x {width} "
            "pixels. Change it, or ingest.images.height and width."
        )
    config = new_config(
        params.architecture,
        image_size=[height, width],
        patch_size=params.patch,
        hidden_size=params.hidden,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        intermediate_size=4 * params.hidden,
    )
    backbone = build_from_config(config)
    read = family_for(config).pictures
    return ImageTower(
        backbone,
        dim,
        preprocessing=PictureSettings((height, width)),
        stem=params.stem,
        pooling="mean" if params.pooling == "auto" else params.pooling,
        prefix=read(config).prefix if read else 1,
    )


def _pretrained_image(
    params: ImageTowerParams,
    dim: int,
    stored: tuple[int, int],
    checkpoint: Checkpoint,
    features: FeaturesParams,
) -> ImageTower:
    """Return a tower with the backbone and the preprocessing of a checkpoint."""
    backbone, head = load_pretrained(checkpoint, "vision")
    settings = checkpoint.picture_settings()
    _tell_of_size(stored, settings.size, checkpoint.name)
    reads: dict[str, Any] = {
        "preprocessing": settings,
        "pooling": checkpoint.picture_pooling(params.pooling),
        "prefix": checkpoint.picture_facts().prefix,
    }
    if params.unfreeze != "none":
        return ImageTower(backbone, dim, head=head, origin=_origin(params, checkpoint, {}), **reads)
    kept = Kept(
        **features.model_dump(),
        hidden=params.hidden,
        layers=params.layers,
        heads=params.heads,
        adds=bool(checkpoint.family and checkpoint.family.is_pair),
    )
    decides = {**reads, "preprocessing": settings.as_dict(), "stored": stored, **kept.seen()}
    origin = _origin(params, checkpoint, decides)
    return FrozenImageTower(backbone, dim, kept=kept, head=head, origin=origin, **reads)


def _tell_of_size(stored: tuple[int, int], size: tuple[int, int], name: str) -> None:
    """Tell that pictures are packed at another size than a model takes."""
    if stored == size:
        return
    if stored[0] * size[1] == stored[1] * size[0]:
        logger.info("pictures packed at %d x %d are scaled to %d x %d for %s", *stored, *size, name)
        return
    logger.warning(
        "pictures packed at %d x %d are fitted into the %d x %d that %s takes, with white "
        "beside them; set ingest.images.height and width to pack them at that size",
        *(*stored, *size, name),
    )


def _origin(
    params: TextTowerParams | ImageTowerParams, checkpoint: Checkpoint, reads: Mapping[str, Any]
) -> Origin:
    """Return where a tower comes from; a frozen one with all that decides its features."""
    fingerprint = ""
    if params.unfreeze == "none":
        content = json.dumps([checkpoint.digest(), dict(reads)], sort_keys=True)
        fingerprint = sha256(content.encode()).hexdigest()
    return Origin(checkpoint.name, params.unfreeze, fingerprint)
