"""What must and must not change an embedding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from smar.artifacts import Manifest
from smar.data.images import ImageStore
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model, save_model
from smar.params import ModelParams
from smar.train.prepare import build_tokenizers


@pytest.fixture
def model(tiny_model: Callable[[], DualEncoder]) -> DualEncoder:
    return tiny_model().eval()


def test_query_embedding_does_not_depend_on_its_batch(model: DualEncoder):
    texts = ["red", "a much longer query about red boots", "novel"]
    together = encode_queries(model, texts)
    alone = [encode_queries(model, [text]) for text in texts]
    for row, one in enumerate(alone):
        assert np.allclose(together.vector[row], one.vector[0], atol=1e-5)
        assert together.gate[row] == pytest.approx(one.gate[0], abs=1e-5)


def test_texts_grouped_by_length_equal_texts_alone(model: DualEncoder):
    lengths = torch.arange(130) % 9 + 1
    ids = torch.randint(2, 50, (130, 9), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = model.text(ids, lengths)
        for row in (0, 8, 64, 129):
            alone = model.text(ids[row : row + 1, : lengths[row]], lengths[row : row + 1])
            assert torch.allclose(together.embedding[row], alone.embedding[0], atol=1e-5)
            hidden = together.hidden[row]
            assert torch.allclose(hidden[: lengths[row]], alone.hidden[0], atol=1e-5)
            assert not hidden[lengths[row] :].any()


def test_item_embeddings_do_not_depend_on_batch_size_or_order(
    model: DualEncoder, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    whole = encode_items(model, tiny_items, tiny_images, 64)
    small = encode_items(model, tiny_items, tiny_images, 3)
    turned = encode_items(model, tiny_items[::-1].reset_index(drop=True), tiny_images, 64)
    for name in ("text", "image", "multimodal"):
        assert np.allclose(getattr(whole, name), getattr(small, name), atol=1e-5)
        assert np.allclose(getattr(whole, name), getattr(turned, name)[::-1], atol=1e-5)


def test_items_without_a_picture_are_text_alone(
    model: DualEncoder, tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    output = encode_items(model, tiny_items, tiny_images, 64)
    without = (tiny_items["image_ids"].str.len() == 0).to_numpy()
    assert without.any()
    assert (output.image[without] == 0).all()
    assert np.array_equal(output.multimodal[without], output.text[without])
    for rows in (output.text, output.multimodal, output.image[~without]):
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_several_pictures_count_and_their_order_does_not(model: DualEncoder):
    torch.manual_seed(0)
    ids, lengths = torch.tensor([[1, 5, 6]] * 3), torch.tensor([3] * 3)
    pictures = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    with torch.inference_mode():
        output = model.encode_item_tokens(
            ids,
            lengths,
            torch.cat([pictures, pictures.flip(0), pictures[:1]]),
            torch.tensor([0, 0, 1, 1, 2]),
        )
    for rows in (output.image, output.multimodal):
        assert torch.allclose(rows[0], rows[1], atol=1e-5)
        assert not torch.allclose(rows[0], rows[2], atol=1e-3)


def shared(params: ModelParams) -> DualEncoder:
    """A model whose text towers share their words."""
    params = params.model_copy(update={"shared_words": True})
    queries, texts = build_tokenizers(params, ["red dress", "blue sofa"], ["striped red dress"])
    return build_model(
        params, query_tokenizer=queries, text_tokenizer=texts, picture_size=(16, 16)
    ).eval()


def test_shared_words_are_one_parameter_for_both_towers(tiny_model_params: ModelParams):
    model = shared(tiny_model_params)
    names = [name for name, _ in model.named_parameters() if "word_embeddings" in name]
    assert len(names) == 1
    before = encode_queries(model, ["red dress"]).vector
    with torch.no_grad():
        model.text.backbone.get_input_embeddings().weight.mul_(2)
    assert not np.allclose(encode_queries(model, ["red dress"]).vector, before, atol=1e-3)


def test_towers_with_shared_words_start_from_one_projection(tiny_model_params: ModelParams):
    model = shared(tiny_model_params)
    assert torch.equal(model.query.projection.weight, model.text.projection.weight)
    assert model.query.projection.weight is not model.text.projection.weight


def test_shared_words_are_still_shared_after_a_reload(
    tiny_model_params: ModelParams, tmp_path: Path
):
    model = shared(tiny_model_params)
    save_model(model, tmp_path / "model", Manifest(kind="model"))
    again = load_model(tmp_path / "model")
    assert len(list(again.parameters())) == len(list(model.parameters()))
    vectors = [encode_queries(each, ["red dress"]).vector for each in (model, again)]
    assert np.array_equal(*vectors)


def test_shared_tower_is_one_for_queries_and_items_after_a_reload(
    tiny_model_params: ModelParams, tmp_path: Path
):
    query = tiny_model_params.query.model_copy(update={"pooling": "mean"})
    model = shared(tiny_model_params.model_copy(update={"shared_tower": True, "query": query}))
    assert model.query.backbone is model.text.backbone
    assert model.query.projection is model.text.projection
    save_model(model, tmp_path / "model", Manifest(kind="model"))
    again = load_model(tmp_path / "model")
    assert len(list(again.parameters())) == len(list(model.parameters()))
    assert again.query.backbone is again.text.backbone
    of_query = encode_queries(again, ["red dress"]).vector
    table = again.text_tokenizer.encode(["red dress"])
    ids, lengths = torch.from_numpy(table.ids).long(), torch.from_numpy(table.lengths).long()
    with torch.inference_mode():
        assert np.allclose(of_query, again.text(ids, lengths).embedding.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        ("query", {"layers": 2}, r"one form, not query\.layers 2 and text\.layers 1"),
        ("query", {"max_tokens": 40}, r"max_tokens 40 above text\.max_tokens"),
        ("query_vectors", {"count": 2}, r"query_vectors\.count 2"),
        ("text", {"unfreeze": "lora"}, "unfreeze 'lora'"),
    ],
)
def test_tower_that_cannot_be_shared_is_refused(
    tiny_model_params: ModelParams, part: str, change: dict[str, Any], reason: str
):
    params = tiny_model_params.model_dump() | {"shared_tower": True}
    params["query"]["pooling"] = params["text"]["pooling"]
    params[part] |= change
    with pytest.raises(ValidationError, match=reason):
        ModelParams(**params)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"hidden": 48}, "towers of one width"), ({"pretrained": "x"}, "start from different models")],
)
def test_words_that_cannot_be_shared_are_refused(
    tiny_model_params: ModelParams, change: dict[str, Any], reason: str
):
    params = tiny_model_params.model_dump() | {"shared_words": True}
    params["query"] |= change
    with pytest.raises(ValidationError, match=reason):
        ModelParams(**params)
