"""Combinations of parameters that make no sense, with the reason and what to do about it.

Each section checks itself in `params.py`; here is what only shows across sections.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smar.params import Params

_NO_LIKELIHOOD = ("hinge", "three_part_hinge")


def senseless(params: "Params") -> list[str]:
    """Return what is wrong with a combination of valid sections; empty if nothing is."""
    return [*_gate(params), *_tasks(params), *_staged(params), *_log(params)]


def _gate(params: "Params") -> Iterator[str]:
    kind = params.gate.kind
    if params.model.fusion == "text_only" and kind in ("category", "per_item"):
        yield (
            f"gate.kind: '{kind}' with model.fusion 'text_only': S_m is S_t, so there is nothing "
            "to choose between. Set gate.kind to never"
        )
    if kind == "category" and not params.gate.visual_categories:
        yield (
            "gate.kind: 'category' with an empty gate.visual_categories: no query is visual. Name "
            "the categories that are bought by eye, or set gate.kind to learned"
        )


def _tasks(params: "Params") -> Iterator[str]:
    tasks = params.pretrain
    weights = [w for w in (tasks.alpha, tasks.beta, tasks.gamma) if w > 0]
    if not weights:
        yield "pretrain: alpha, beta and gamma are all 0: there is nothing to train"
    if params.loss.weights != "learned":
        return
    if params.loss.kind in _NO_LIKELIHOOD:
        yield (
            f"loss.weights: 'learned' with loss.kind '{params.loss.kind}': a hinge is no "
            "likelihood, and the weight of one that reaches 0 grows without bound. Set "
            "loss.weights to fixed, or another loss.kind"
        )
    if len(weights) == 1:
        yield (
            "loss.weights: 'learned' with a single task above 0 among pretrain.alpha, beta and "
            "gamma: there is nothing to weigh it against. Set loss.weights to fixed"
        )


def _staged(params: "Params") -> Iterator[str]:
    if params.curriculum.kind != "staged":
        return
    tasks, shares, frozen = params.pretrain, params.curriculum.shares, params.curriculum.frozen
    if params.model.fusion == "text_only":
        yield (
            "curriculum.kind: 'staged' with model.fusion 'text_only': its stages align pictures, "
            "which this model does not look at. Set curriculum.kind to joint"
        )
    if shares.query and not tasks.alpha + tasks.beta:
        yield (
            "curriculum.shares.query: above 0 while pretrain.alpha and beta are 0: the stage has "
            "no loss"
        )
    if shares.fusion and not tasks.gamma:
        yield "curriculum.shares.fusion: above 0 while pretrain.gamma is 0: the stage has no loss"
    for stage, needed in (
        ("alignment", {"text", "image"}),
        ("query", {"query", "text", "image"}),
        ("fusion", {"query", "text", "image", "fusion"}),
    ):
        if getattr(shares, stage) and needed <= set(getattr(frozen, stage)):
            yield f"curriculum.frozen.{stage}: freezes all that the stage could train"


def _log(params: "Params") -> Iterator[str]:
    kind = "ubi" if params.ingest.source == "demo" else params.ingest.log.kind
    if params.finetune.negatives.impressed and kind != "ubi":
        yield (
            f"finetune.negatives.impressed: above 0 with ingest.log.kind '{kind}': only a ubi log "
            "says what was shown. Set it to 0, or mine negatives"
        )
    if params.loss.kind == "gcl" and kind == "none":
        yield (
            "loss.kind: 'gcl' with ingest.log.kind 'none': without engagement all pairs weigh the "
            "same. Set loss.kind to softmax"
        )
