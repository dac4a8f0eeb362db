"""The frozen item towers of a project, as something that contents go into and features come out of.

Shapes: n contents, F numbers of a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smar.data.images import ImageStore
from smar.data.text import item_texts
from smar.data.tokens import token_tensors
from smar.features.making import Wanted
from smar.features.store import PARTS, text_key
from smar.models.building import build_image_tower, build_text_tower
from smar.models.device import choose_device
from smar.models.frozen_image import FrozenImageTower
from smar.models.pretrained import Checkpoint
from smar.models.tokenizer import tokenizer_of
from smar.params import FeaturesParams, ModelParams

_BATCHES = {"image": 32, "text": 256}


@dataclass(frozen=True)
class FrozenPart:
    """One frozen tower with what it is to read.

    Args:
        fingerprint: Of all that decides its features.
        source: The pretrained model.
        wanted: Contents and how their features are computed.
    """

    fingerprint: str
    source: str
    wanted: Wanted


def frozen_part(
    name: str,
    params: ModelParams,
    features: FeaturesParams,
    starts: Mapping[str, Checkpoint],
    items: pd.DataFrame,
    images: ImageStore,
) -> FrozenPart:
    """Return a frozen tower of a project and what it is to read.

    Args:
        name: "image" or "text".
        params: The section `model`.
        features: The section `features`.
        starts: The pretrained model of each tower that has one.
        items: Item table (`schema.ITEMS`).
        images: The picture store.
    """
    if name == "image":
        return _pictures(params, features, starts["image"], images)
    texts = list(dict.fromkeys(item_texts(items, markers=params.field_markers)))
    return _texts(params, starts["text"], texts)


def _pictures(
    params: ModelParams, features: FeaturesParams, start: Checkpoint, images: ImageStore
) -> FrozenPart:
    device, _ = choose_device()
    stored = (images.height, images.width)
    tower = build_image_tower(params.image, params.dim, stored, start, features).eval().to(device)
    if not isinstance(tower, FrozenImageTower):
        raise TypeError(f"model.image.unfreeze: {params.image.unfreeze}, expected none")
    keys = list(dict.fromkeys(images.sha256))
    first_of = pd.Series(np.arange(len(images)), index=images.sha256)
    ids = first_of[~first_of.index.duplicated()].loc[keys].to_numpy(np.int64)

    @torch.inference_mode()
    def compute(positions: NDArray[np.int64]) -> NDArray[np.float16]:
        pictures = torch.from_numpy(images.read(ids[positions])).to(device)
        return _as_kept(tower.features(pictures))

    wanted = Wanted(PARTS["image"], keys, tower.shape.width, _BATCHES["image"], compute)
    return FrozenPart(tower.origin.fingerprint, start.name, wanted)


def _texts(params: ModelParams, start: Checkpoint, texts: list[str]) -> FrozenPart:
    device, _ = choose_device()
    tokenizer = tokenizer_of(start, params.text, is_query=False)
    tower = build_text_tower(params.text, params.dim, tokenizer, 1, start).eval().to(device)
    table = tokenizer.encode(texts)

    @torch.inference_mode()
    def compute(positions: NDArray[np.int64]) -> NDArray[np.float16]:
        return _as_kept(tower(*token_tensors(table, positions, device)).pooled)

    keys = [text_key(text) for text in texts]
    wanted = Wanted(PARTS["text"], keys, tower.width, _BATCHES["text"], compute)
    return FrozenPart(tower.origin.fingerprint, start.name, wanted)


def _as_kept(rows: torch.Tensor) -> NDArray[np.float16]:
    kept: NDArray[np.float16] = rows.to(torch.float16).cpu().numpy()
    return kept
