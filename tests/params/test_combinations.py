"""Senseless combinations are refused before any work, with the reason; sensible ones are not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from smar.errors import ParamsError
from smar.params import check_params
from smar.params.kinds import CURRICULA, FUSIONS, GATES, LOSSES

ROOT = Path(__file__).parents[2]
FROZEN = {
    "pretrain.start": "aligned",
    "model.image.pretrained": "efficientnet-lite0",
    "model.image.unfreeze": "none",
    "model.image.layers": 0,
}
STAGED = {"curriculum.kind": "staged"}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        *parts, last = key.split(".")
        section = content
        for part in parts:
            section = section[part]
        section[last] = value
    return content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model.fusion": "text_only", "gate.kind": "category"}, "nothing to choose between"),
        ({"model.fusion": "text_only", "gate.kind": "per_item"}, "Set gate.kind to never"),
        ({"gate.kind": "category", "gate.visual_categories": []}, "no query is visual"),
        (
            {"pretrain.alpha": 0.0, "pretrain.beta": 0.0, "pretrain.gamma": 0.0},
            "there is nothing to train",
        ),
        (
            {f"finetune.{name}": 0.0 for name in ("gated", "alpha", "beta", "gamma")},
            "finetune: gated, alpha, beta and gamma are all 0: there is nothing to train",
        ),
        *(
            (
                {"finetune.gated": 0.0, "gate.kind": kind},
                f"finetune.gated: 0 with gate.kind '{kind}', which the gated loss teaches",
            )
            for kind in ("learned", "category", "per_item")
        ),
        ({"loss.kind": "hinge", "loss.weights": "learned"}, "grows without bound"),
        ({"loss.kind": "three_part_hinge", "loss.weights": "learned"}, "grows without bound"),
        (
            {"loss.weights": "learned", "pretrain.beta": 0.0, "pretrain.gamma": 0.0},
            "nothing to weigh it against",
        ),
        (STAGED | {"model.fusion": "text_only"}, "does not look at"),
        (
            {"pretrain.alignment": 0.5, "model.fusion": "text_only", "gate.kind": "never"},
            r"pretrain\.alignment: 0\.5 with model\.fusion 'text_only'",
        ),
        (
            {"finetune.alignment": 0.5, "model.fusion": "text_only", "gate.kind": "never"},
            r"finetune\.alignment: 0\.5 with model\.fusion 'text_only'",
        ),
        (STAGED | {"pretrain.alignment": 0.5}, r"pretrain\.alignment: .*stage of its own"),
        ({"pretrain.start": "aligned"}, r"start: 'aligned' with model\.image\.unfreeze 'all'"),
        (
            FROZEN | {"model.image.layers": 1},
            r"start: 'aligned' with model\.image\.unfreeze 'none' and layers 1",
        ),
        (
            FROZEN | {"model.query_vectors.count": 2},
            r"start: 'aligned' with shared_words True and query_vectors\.count 2",
        ),
        (
            FROZEN | {"model.query.pretrained": "bert", "model.text.pretrained": "bert"},
            r"start: 'aligned' with query and text pretrained, shared_words True",
        ),
        (STAGED | {"model.shared_tower": True}, r"shared_tower: true with curriculum\.kind"),
        (
            FROZEN | {"model.shared_tower": True},
            r"shared_tower: true with pretrain\.start 'aligned'",
        ),
        (STAGED | {"pretrain.alpha": 0.0, "pretrain.beta": 0.0}, r"shares\.query: .*no loss"),
        (STAGED | {"pretrain.gamma": 0.0}, r"shares\.fusion: .*no loss"),
        (
            STAGED | {"curriculum.staged.frozen.alignment": ["text", "image"]},
            r"frozen\.alignment: freezes all",
        ),
        (
            {"finetune.negatives.impressed": 4, "ingest.source": "feed", "ingest.log.kind": "none"},
            "only a ubi log says what was shown",
        ),
        (
            {"loss.kind": "gcl", "ingest.source": "feed", "ingest.log.kind": "none"},
            "without engagement all pairs weigh the same",
        ),
        ({"loss.three_part_hinge.shown": 0.95}, "random <= shown <= engaged"),
        ({"finetune.negatives.first_rank": 200}, "first_rank must not exceed last_rank"),
        (
            {"curriculum.staged.shares": {"alignment": 0.0, "query": 0.0, "fusion": 0.0}},
            "at least one share must be above 0",
        ),
        ({"curriculum.staged.frozen.query": ["gate"]}, r"curriculum\.staged\.frozen\.query"),
        ({"pretrain.field_mask_frac": 1.0}, r"pretrain\.field_mask_frac"),
        (
            {
                "model.image.pretrained": "net",
                "model.image.unfreeze": "none",
                "finetune.augment": {"flip": 0.5},
            },
            r"finetune\.augment: above 0 with model\.image\.unfreeze 'none'",
        ),
        (
            {
                "model.text.pretrained": "bert",
                "model.query.pretrained": "bert",
                "model.text.unfreeze": "none",
                "model.query.unfreeze": "none",
                "finetune.searched_words": 8,
            },
            r"finetune\.searched_words: 8 with model\.text\.unfreeze 'none'",
        ),
        ({"model.query_vectors.count": 0}, r"model\.query_vectors\.count"),
    ],
)
def test_senseless_combination_is_refused_with_the_reason(changes: dict[str, Any], reason: str):
    with pytest.raises(ParamsError, match=f"(?s)nothing was started.*{reason}"):
        check_params(changed(changes), "params.yaml")


def test_alignment_is_a_task_that_learned_weights_can_weigh():
    alone = {"loss.weights": "learned", "pretrain.beta": 0.0, "pretrain.gamma": 0.0}
    params = check_params(changed(alone | {"pretrain.alignment": 0.5}), "x")
    assert params.pretrain.alignment == 0.5


@pytest.mark.parametrize("kind", sorted(FUSIONS))
def test_every_fusion_needs_one_parameter_alone(kind: str):
    assert check_params(changed({"model.fusion": kind}), "x").model.fusion == kind


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_every_loss_needs_one_parameter_alone(kind: str):
    assert check_params(changed({"loss.kind": kind}), "x").loss.kind == kind


@pytest.mark.parametrize("kind", sorted(GATES))
@pytest.mark.parametrize("curriculum", sorted(CURRICULA))
def test_every_gate_goes_with_every_curriculum(kind: str, curriculum: str):
    changes = {"gate.kind": kind, "curriculum.kind": curriculum}
    assert check_params(changed(changes), "x").gate.kind == kind


def test_every_unknown_name_is_refused_together_with_the_near_match():
    wrong = {
        "loss.kind": ("softmx", "softmax"),
        "model.fusion": ("concatt", "concat"),
        "gate.kind": ("lerned", "learned"),
        "curriculum.kind": ("stage", "staged"),
        "model.text.architecture": ("brt", "bert"),
        "promote.protected": (["visuall"], "visual"),
        "validate.severity": ({"items.prize_range": "warn"}, "items.price_range"),
        "ingest.feed.columns": ({"titel": "name"}, "title"),
        "ingest.log.columns": ({"querry": "q"}, "query"),
        "ingest.feed.file": ("products.cvs", ".csv"),
    }
    with pytest.raises(ParamsError) as error:
        check_params(changed({key: value for key, (value, _) in wrong.items()}), "params.yaml")
    message = str(error.value)
    assert f"{len(wrong)} problem(s)" in message
    for key, (_, guess) in wrong.items():
        assert re.search(rf"- {re.escape(key)}: .*Did you mean '{re.escape(guess)}'\?", message), (
            key
        )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evaluate.primary": "recal@50"}, "Did you mean 'recall@50'"),
        ({"evaluate.primary": "recall@20"}, "not computed"),
        ({"model.image.patch": 15}, r"do not divide ingest\.images\.height, 80"),
        ({"model.text.heads": 7}, r"7 heads do not divide model\.text\.hidden, 192"),
        ({"fusion.cross_attention.heads": 5}, "5 heads do not divide model"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(changes: dict[str, Any], reason: str):
    with pytest.raises(ParamsError, match=reason):
        check_params(changed(changes), "params.yaml")
