"""Every family starts as it was trained, trains, and comes back from disk as it was."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smar.artifacts import Manifest
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_queries
from smar.models.io import load_model, save_model
from smar.models.pretrained import Checkpoint
from smar.params import FusionParams, ModelParams
from smar.train.prepare import build_tokenizers
from tests.models.backbones.conftest import HIDDEN, PAIR_KINDS, PICTURE_KINDS, TEXT_KINDS

TEXTS = ["red boot", "a novel about boots", "sofa"]
Zoo = Callable[[str], Checkpoint]


def built(
    params: ModelParams,
    starts: Mapping[str, Checkpoint],
    fusions: FusionParams | None = None,
    **changes: Any,
) -> DualEncoder:
    """A model whose towers start from checkpoints, as training builds it."""
    towers = {
        name: getattr(params, name).model_copy(update={"pooling": "auto"})
        for name in ("query", "text", "image")
    }
    params = params.model_copy(update={"dim": HIDDEN, **towers, **changes})
    torch.manual_seed(0)
    query, text = build_tokenizers(params, TEXTS, TEXTS, starts)
    return build_model(
        params,
        fusions,
        query_tokenizer=query,
        text_tokenizer=text,
        picture_size=(16, 16),
        starts=starts,
    ).eval()


def pictures_of(model: DualEncoder, count: int = 3) -> torch.Tensor:
    size = (count, *model.image.size, 3)
    return torch.randint(
        0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def embedded(model: DualEncoder) -> dict[str, torch.Tensor]:
    """What a model makes of texts and pictures."""
    table = model.text_tokenizer.encode(TEXTS)
    ids, lengths = torch.from_numpy(table.ids).long(), torch.from_numpy(table.lengths).long()
    with torch.inference_mode():
        items = model.encode_item_tokens(ids, lengths, pictures_of(model), torch.arange(3))
    query = torch.from_numpy(encode_queries(model, TEXTS).vector)
    return {
        "query": query,
        "text": items.text,
        "image": items.image,
        "multimodal": items.multimodal,
    }


def assert_trains_and_reloads(model: DualEncoder, path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    table = model.text_tokenizer.encode(TEXTS)
    ids, lengths = torch.from_numpy(table.ids).long(), torch.from_numpy(table.lengths).long()
    model.train()
    item = model.encode_item_tokens(ids, lengths, pictures_of(model), torch.arange(3))
    query = model.encode_query_tokens(ids, lengths)
    (query.embedding * (item.text + item.image + item.multimodal)).sum().backward()
    for name in ("query", "text", "image"):
        tower = getattr(model, name)
        idle = [key for key, p in tower.named_parameters() if p.grad is None]
        assert len(idle) <= 1, f"{name}: {idle} take no part"  # a mask token may
    optimizer.step()
    model.eval()
    save_model(model, path, Manifest(kind="model"))
    mine, theirs = embedded(model), embedded(load_model(path))
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name


@pytest.mark.parametrize("kind", [*TEXT_KINDS, *PAIR_KINDS])
def test_every_text_family_trains_and_reloads(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    model = built(tiny_model_params, {"query": zoo(kind), "text": zoo(kind)})
    vectors = embedded(model)
    assert torch.allclose(vectors["query"], vectors["text"], atol=1e-5), "one space from the start"
    for row, text in enumerate(TEXTS):
        alone = encode_queries(model, [text]).vector[0]
        assert np.allclose(vectors["query"][row], alone, atol=1e-5), "padding is read"
        for other in range(row):
            assert not torch.allclose(vectors["query"][row], vectors["query"][other], atol=1e-3)
    assert_trains_and_reloads(model, tmp_path / "model")


@pytest.mark.parametrize("kind", [*PICTURE_KINDS, *PAIR_KINDS])
def test_every_picture_family_trains_and_reloads(
    kind: str, zoo: Zoo, tiny_model_params: ModelParams, tmp_path: Path
):
    model = built(tiny_model_params, {"image": zoo(kind)})
    assert_trains_and_reloads(model, tmp_path / "model")
