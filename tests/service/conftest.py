"""One untrained model for all tests of a module."""

import pytest
import torch

from smar.data.text import item_texts
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.tokenizer import train_tokenizer
from smar.params import ModelParams
from tests.service.shop import DIM, item_frame

TOWER = {"pretrained": "", "hidden": 24, "layers": 1, "heads": 2, "architecture": "bert"}


@pytest.fixture(scope="module")
def module_model() -> DualEncoder:
    params = ModelParams(
        dim=DIM,
        vocab_size=400,
        field_markers=False,
        shared_words=False,
        query_vectors={"count": 1, "beta": 0.1},
        query={**TOWER, "pooling": "cls", "max_tokens": 12},
        text={**TOWER, "pooling": "mean", "max_tokens": 16},
        image={
            "pretrained": "", "hidden": 24, "layers": 1, "heads": 2, "architecture": "vit",
            "patch": 8, "stem": "patch", "pooling": "cls",
        },
        fusion="cross_attention",
    )  # fmt: skip
    torch.manual_seed(0)
    texts = item_texts(item_frame(40))
    return build_model(
        params,
        query_tokenizer=train_tokenizer(texts, 400, 12),
        text_tokenizer=train_tokenizer(texts, 400, 16),
        picture_size=(16, 16),
    )
