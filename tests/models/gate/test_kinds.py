"""Every registered gate: what it says, and that what is trained is what is served."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from smar.data.images import ImageStore
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.models.gate import build_gate
from smar.models.gate.base import GateWidths
from smar.params import IndexParams
from smar.params.kinds import GATES
from smar.train.batching import BatchMaker
from smar.train.dataset import TrainingData
from smar.train.gating import mixed_pairs
from smar.train.sampling import PairSampler
from smar.train.scoring import encode_batch

WIDTHS = GateWidths(query=8, text=6, image=5, dim=4)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("never", 0.0),
        ("always", 1.0),
        ("benefit", 0.5),
        ("category", 0.5),
        ("learned", 0.5),
        ("per_item", 0.5),
    ],
)
def test_gate_before_training(kind: str, expected: float):
    assert build_gate(kind, {}, WIDTHS)(torch.randn(3, 8)).sigmoid().tolist() == [expected] * 3


def shaken(model: DualEncoder, kind: str) -> DualEncoder:
    """Return the model with a gate that differs from query to query and from item to item."""
    model.set_gate(kind)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.gate.parameters():
            parameter.add_(torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("kind", sorted(GATES))
def test_score_that_is_trained_is_the_score_that_is_served(
    kind: str,
    tiny_model: Callable[[], DualEncoder],
    tiny_maker: Callable[[DualEncoder], BatchMaker],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    model = shaken(tiny_model(), kind)
    sampler = PairSampler(tiny_data, items_per_step=16, queries_per_item=1, real_frac=1.0, seed=3)
    draw = sampler.draw(0)
    with torch.inference_mode():
        batch = tiny_maker(model).make(draw)
        trained = mixed_pairs(encode_batch(model, batch), batch).scores.numpy()
    made = encode_items(model, tiny_items, tiny_images, 8)
    params = IndexParams(
        exact_below=100, recall_target=0.9, recall_at=5, sample_queries=5, word_share=0.0
    )
    vectors = gated_items(made.text, made.multimodal)  # refuses rows that are not of unit norm
    index = build_index(vectors, list(tiny_items["item_id"]), params, lambda: vectors)
    order = np.argsort(
        model.query_tokenizer.encode(tiny_data.queries).lengths[draw.queries], kind="stable"
    )
    texts = [tiny_data.queries[row] for row in draw.queries[order]]
    encoded = encode_queries(model, texts)
    scores, rows = index.search(gated_queries(encoded.vector, encoded.gate), len(tiny_items))
    served = np.take_along_axis(scores, np.argsort(rows, axis=1), 1)[:, draw.items]
    assert np.allclose(trained, served, atol=1e-5)
    assert np.ptp(trained) > 0.1


def test_per_item_gate_that_trusts_no_picture_is_text_alone(
    tiny_model: Callable[[], DualEncoder], tiny_items: pd.DataFrame, tiny_images: ImageStore
):
    model = tiny_model().eval()
    whole = encode_items(model, tiny_items, tiny_images, 8)
    model.set_gate("per_item")
    trusting = encode_items(model, tiny_items, tiny_images, 8)
    assert not np.allclose(whole.multimodal, whole.text, atol=1e-2)
    assert np.allclose(trusting.multimodal, whole.multimodal, atol=0.1)  # h = 0.95 at the start
    with torch.no_grad():
        model.gate.trust[-1].bias.fill_(-30.0)
    doubting = encode_items(model, tiny_items, tiny_images, 8)
    assert np.allclose(doubting.multimodal, whole.text, atol=1e-5)


def test_change_of_kind_keeps_what_both_kinds_have(tiny_model: Callable[[], DualEncoder]):
    model = shaken(tiny_model(), "learned")
    before = {name: value.clone() for name, value in model.gate.state_dict().items()}
    model.set_gate("per_item")
    after = model.gate.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert len(after) > len(before)
    model.set_gate("never")
    assert not model.gate.state_dict()
