"""Items with several pictures: one that tells more is made use of, and order does not matter."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from smar.artifacts import Manifest, write_directory
from smar.data.images import KIND, ImageStore
from smar.data.text import item_texts
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items, encode_queries
from smar.models.tokenizer import train_tokenizer
from smar.params import ImageStoreParams, ModelParams, PretrainParams
from smar.seeding import seed_torch
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine
from smar.train.dataset import build_training_data
from smar.train.loop import Places, train
from smar.train.prepare import build_maker
from smar.train.sampling import PairSampler

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 40),
    "blue": (30, 50, 220),
    "yellow": (230, 220, 30),
    "black": (10, 10, 10),
    "pink": (250, 130, 190),
}
GREY = 0  # the picture that every item has, and that says nothing


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    """A grey picture, then one of each colour."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, colour in enumerate([(128, 128, 128), *COLOURS.values()]):
        Image.new("RGB", (16, 16), colour).save(raw / f"{number}.png")
    manifest = Manifest(kind=KIND, details={"height": 16, "width": 16})
    with write_directory(tmp_path / "images", manifest) as folder:
        files = [PictureFile("i", 1, f"{number}.png") for number in range(7)]
        params = ImageStoreParams(height=16, width=16, max_pixels=10_000)
        pack_images(raw, files, folder, params, Quarantine())
    return ImageStore.open(tmp_path / "images")


@pytest.fixture
def items() -> pd.DataFrame:
    """Two items of each colour; only the second picture of an item tells which it is."""
    rows = [
        {"item_id": f"i{n}", "title": "thing", "brand": "", "category": "", "attributes": ""}
        for n in range(12)
    ]
    pictures = [np.array([GREY, 1 + n % 6]) for n in range(12)]
    return pd.DataFrame(rows).assign(image_ids=pictures)


@pytest.fixture
def model(
    items: pd.DataFrame,
    images: ImageStore,
    tiny_model_params: ModelParams,
    tiny_pretrain: PretrainParams,
    course_of,
    places: Places,
) -> DualEncoder:
    seed_torch(0)
    texts = [*item_texts(items), *COLOURS] * 3
    model = build_model(
        tiny_model_params,
        query_tokenizer=train_tokenizer(texts, 400, 12),
        text_tokenizer=train_tokenizer(texts, 400, 16),
        picture_size=(16, 16),
    )
    asked = pd.DataFrame({"query": list(COLOURS) * 2, "item_id": items["item_id"]})
    data = build_training_data(
        items,
        item_texts(items),
        graded=asked.assign(grade=4.0),
        synthetic=(),
        visual_categories=[],
        folder=places.checkpoint.parent,
    )
    sampler = PairSampler(data, items_per_step=12, queries_per_item=1, real_frac=1.0, seed=0)
    params = tiny_pretrain.model_copy(update={"steps": 60, "alpha": 0.0})
    train(
        model,
        sampler,
        build_maker(model, data, items, images),
        course=course_of(params),
        params=params,
        places=places,
    )
    return model


def top_1(model: DualEncoder, items: pd.DataFrame, images: ImageStore) -> float:
    """Return the share of colours whose first item has that colour."""
    made = encode_items(model, items, images, 12).multimodal
    first = (encode_queries(model, list(COLOURS)).vector @ made.T).argmax(axis=1)
    return float((first % 6 == np.arange(6)).mean())


def test_an_extra_informative_picture_helps_and_order_does_not_matter(
    model: DualEncoder, items: pd.DataFrame, images: ImageStore
):
    assert top_1(model, items, images) >= 5 / 6
    only_first = items.assign(image_ids=items["image_ids"].str[:1])
    assert top_1(model, only_first, images) <= 2 / 6
    turned = items.assign(image_ids=[ids[::-1] for ids in items["image_ids"]])
    one, other = (encode_items(model, table, images, 12) for table in (items, turned))
    for name in ("image", "multimodal"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-5)
