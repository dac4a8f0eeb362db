"""Texts side by side give what padded texts give."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from smar.models.packed import Packed, read_packed, takes_packed
from smar.models.text import TextTower

LENGTHS = torch.arange(130) % 9 + 1
IDS = torch.randint(2, 50, (130, 9), generator=torch.Generator().manual_seed(0))


def bert(**settings: Any) -> BertModel:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=40, max_position_embeddings=16, **settings,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False).eval()


def padded_states(backbone: nn.Module) -> Tensor:
    """Return the states of the texts [130, 9, 24] as the library reads a padded batch."""
    mask = torch.arange(9) < LENGTHS[:, None]
    states = backbone(input_ids=IDS, attention_mask=mask.long()).last_hidden_state
    found: Tensor = states * mask[..., None]
    return found


@pytest.mark.parametrize("least", [1, 10**6])
def test_states_and_gradients_equal_those_of_a_padded_batch(
    least: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("smar.models.packed._LEAST", least)
    backbone = bert()
    weight = torch.randn(130, 9, 24, generator=torch.Generator().manual_seed(2))
    gradients = []
    for is_packed in (False, True):
        backbone.zero_grad()
        states = padded_states(backbone)
        if is_packed:
            packed = Packed.of(LENGTHS, 9)
            found = packed.unpacked(read_packed(backbone, IDS, packed), (130, 9))
            assert torch.allclose(found, states, atol=1e-5)
            states = found
        (states * weight).sum().backward()
        gradients.append({name: p.grad.clone() for name, p in backbone.named_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradients[1][name], gradient, rtol=1e-5, atol=2e-4), name


def test_many_tokens_are_read_in_round_numbers_of_rows(monkeypatch: pytest.MonkeyPatch):
    tower = TextTower(bert(), 16, "mean").eval()
    few = tower(IDS[:129], LENGTHS[:129]).hidden  # 636 tokens
    monkeypatch.setattr("smar.models.packed._LEAST", 600)
    rows = []
    for layer in tower.backbone.encoder.layer:
        layer.output.dense.register_forward_hook(
            lambda _module, _given, output: rows.append(len(output))
        )
    assert torch.allclose(tower(IDS[:129], LENGTHS[:129]).hidden, few, atol=1e-6)
    assert rows == [640, 640]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_tower_pools_each_text_as_one_that_reads_padding(
    pooling: str, monkeypatch: pytest.MonkeyPatch
):
    tower = TextTower(bert(), 16, pooling).eval()
    packed = tower(IDS, LENGTHS)
    monkeypatch.setattr("smar.models.text.takes_packed", lambda _backbone: False)
    padded = tower(IDS, LENGTHS)
    for name in ("hidden", "pooled", "embedding"):
        assert torch.allclose(getattr(packed, name), getattr(padded, name), atol=1e-5), name


def test_what_stands_behind_a_text_is_not_read():
    tower = TextTower(bert(), 16, "mean").eval()
    behind = torch.arange(9) >= LENGTHS[:, None]
    other = tower(IDS.masked_fill(behind, 49), LENGTHS).embedding
    assert torch.equal(tower(IDS, LENGTHS).embedding, other)


def test_texts_stand_by_length_and_come_back_in_their_order():
    packed = Packed.of(torch.tensor([3, 1, 3, 2]), 4)
    assert packed.runs == [(1, 1), (1, 2), (2, 3)]
    assert packed.place.tolist() == [4, 12, 13, 0, 1, 2, 8, 9, 10]
    tokens = torch.arange(9.0)[:, None]
    firsts = packed.of_texts([run[:, 0] for run in packed.split(tokens)])
    assert firsts.flatten().tolist() == [3, 0, 6, 1]
    assert packed.unpacked(tokens, (4, 4))[0].flatten().tolist() == [3, 4, 5, 0]


def test_only_an_encoder_of_bert_reads_packed_texts():
    assert takes_packed(bert())
    assert not takes_packed(DistilBertModel(DistilBertConfig(dim=24, n_heads=3, n_layers=1)))
    assert not takes_packed(bert(is_decoder=True))


def test_states_that_are_computed_again_give_the_same_gradients():
    gradients = []
    for is_kept in (True, False):
        backbone = bert().train()
        if not is_kept:
            backbone.activation_checkpointing_enable()
        TextTower(backbone, 16, "mean")(IDS, LENGTHS).pooled.square().sum().backward()
        gradients.append({name: p.grad for name, p in backbone.named_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.equal(gradients[1][name], gradient), name


@pytest.mark.parametrize("is_packed", [True, False])
def test_equal_texts_are_read_once_with_the_gradients_of_all(
    is_packed: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("smar.models.text.takes_packed", lambda _backbone: is_packed)
    rows = torch.arange(130) % 7 + 60
    behind = torch.arange(9) >= LENGTHS[rows, None]
    ids = IDS[rows].where(~behind, torch.arange(130)[:, None] % 50)
    tower = TextTower(bert(), 16, "mean")
    weight = torch.randn(130, 16, generator=torch.Generator().manual_seed(2))
    read = []
    tower.backbone.embeddings.register_forward_hook(
        lambda _module, _given, output: read.append(output.shape[:2].numel())
    )
    (tower(ids, LENGTHS[rows]).embedding * weight).sum().backward()
    assert sum(read) <= 7 * 9
    once = {name: p.grad.clone() for name, p in tower.named_parameters()}
    tower.zero_grad()
    for row in range(130):
        alone = tower(ids[row : row + 1], LENGTHS[rows[row : row + 1]]).embedding
        (alone * weight[row]).sum().backward()
    for name, p in tower.named_parameters():
        assert torch.allclose(once[name], p.grad, rtol=1e-4, atol=1e-4), name
