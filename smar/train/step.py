"""The training steps: model and batch in, named losses out; nothing here knows about files or time.

Shapes: Q queries, B items.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from smar.data.batching import Batch
from smar.errors import ParamsError, near_match
from smar.losses import LOSSES
from smar.models.gate import gated_scores
from smar.models.retriever import ItemOutput, QueryOutput, RetrieverModel
from smar.params import FinetuneParams, GateParams, LossParams, PretrainParams


@dataclass(frozen=True)
class StepOutput:
    """What a step returns.

    Args:
        loss: The scalar that is minimised.
        parts: Values worth logging, detached, by name.
    """

    loss: Tensor
    parts: dict[str, Tensor]


Step = Callable[[RetrieverModel, Batch], StepOutput]


def pretrain_step(params: PretrainParams, loss: LossParams) -> Step:
    """Return the step `L = alpha L_t + beta L_i + gamma L_m` (SMAR, 2023)."""

    def step(model: RetrieverModel, batch: Batch) -> StepOutput:
        query, item = encode_batch(model, batch)
        tasks = _task_losses(query, item, batch, loss)
        total = params.alpha * tasks["text"] + params.beta * tasks["image"]
        total = total + params.gamma * tasks["multimodal"]
        return StepOutput(total, _log(tasks, query, item, batch))

    return step


def finetune_step(params: FinetuneParams, loss: LossParams, gate: GateParams) -> Step:
    """Return the step on clicks with the gate, plus the pre-training tasks at small weights."""
    gated_loss = GATE_LOSSES[gate.kind]

    def step(model: RetrieverModel, batch: Batch) -> StepOutput:
        query, item = encode_batch(model, batch)
        tasks = _task_losses(query, item, batch, loss)
        tasks["gated"] = gated_loss(query, item, batch, loss, gate)
        total = tasks["gated"] + params.alpha * tasks["text"] + params.beta * tasks["image"]
        total = total + params.gamma * tasks["multimodal"]
        parts = _log(tasks, query, item, batch)
        parts["gate_mean"] = query.gate_logit.sigmoid().mean().detach()
        return StepOutput(total, parts)

    return step


def _category_gate_loss(
    query: QueryOutput, item: ItemOutput, batch: Batch, loss: LossParams, gate: GateParams
) -> Tensor:
    """Return the mean of `P L_m + (1-P) L_t + lambda CE(P, y)`, y = 1 for a visual query."""
    kind = LOSSES[loss.kind]
    chance = query.gate_logit.sigmoid()  # [Q]
    of_text, of_both = (
        kind(_similarity(query, items), batch.target, batch.allowed, loss.temperature)
        for items in (item.text, item.multimodal)
    )
    supervised = functional.binary_cross_entropy_with_logits(query.gate_logit, batch.visual)
    return (chance * of_both + (1 - chance) * of_text).mean() + gate.weight * supervised


def _learned_gate_loss(
    query: QueryOutput, item: ItemOutput, batch: Batch, loss: LossParams, gate: GateParams
) -> Tensor:
    """Return the mean loss of the mixed scores `(1-P) Q.S_t + P Q.S_m`: clicks alone teach P."""
    scores = gated_scores(
        _similarity(query, item.text),
        _similarity(query, item.multimodal),
        query.gate_logit.sigmoid(),
    )
    return LOSSES[loss.kind](scores, batch.target, batch.allowed, loss.temperature).mean()


GateLoss = Callable[[QueryOutput, ItemOutput, Batch, LossParams, GateParams], Tensor]
GATE_LOSSES: dict[str, GateLoss] = {"category": _category_gate_loss, "learned": _learned_gate_loss}


def check_losses(loss: LossParams, gate: GateParams) -> None:
    """Refuse unknown kinds of loss or gate before any work.

    Raises:
        ParamsError: Names the key, the value seen and the choices.
    """
    for key, value, choices in (
        ("loss.kind", loss.kind, LOSSES),
        ("gate.kind", gate.kind, GATE_LOSSES),
    ):
        if value not in choices:
            raise ParamsError(
                f"{key}: unknown '{value}'; expected one of {', '.join(sorted(choices))}."
                f"{near_match(value, choices)}"
            )


def encode_batch(model: RetrieverModel, batch: Batch) -> tuple[QueryOutput, ItemOutput]:
    """Return the queries and items of a batch; each item is encoded once."""
    parts = [model.encode_query_tokens(ids, lengths) for ids, lengths in batch.query_buckets]
    query = QueryOutput(
        torch.cat([part.embedding for part in parts]),
        torch.cat([part.gate_logit for part in parts]),
        torch.stack([part.norm for part in parts]).mean(),
    )
    item = model.encode_item_tokens(batch.item_ids, batch.item_lengths, batch.pictures, batch.owner)
    return query, item


def _task_losses(
    query: QueryOutput, item: ItemOutput, batch: Batch, loss: LossParams
) -> dict[str, Tensor]:
    """Return the mean losses Q.S_t, Q.S_i and Q.S_m.

    The image task leaves out items without a picture, on both sides; the multimodal task keeps them
    (their S_m is S_t), so that one ranking holds both kinds.
    """
    kind = LOSSES[loss.kind]
    pictured = item.has_picture[batch.target]  # [Q]
    with_picture = batch.allowed & item.has_picture[None, :]

    def of(items: Tensor, allowed: Tensor) -> Tensor:
        return kind(_similarity(query, items), batch.target, allowed, loss.temperature)

    of_image = of(item.image, with_picture) * pictured
    return {
        "text": of(item.text, batch.allowed).mean(),
        "image": of_image.sum() / pictured.sum().clamp(min=1),
        "multimodal": of(item.multimodal, batch.allowed).mean(),
    }


def _similarity(query: QueryOutput, items: Tensor) -> Tensor:
    """Return dot products [Q, B] in float32: bfloat16 would blur scores by a tenth of a logit."""
    with torch.autocast(items.device.type, enabled=False):
        return query.embedding @ items.T


def _log(
    tasks: dict[str, Tensor], query: QueryOutput, item: ItemOutput, batch: Batch
) -> dict[str, Tensor]:
    """Return each loss, its share of ln(B) (1 means no better than chance), and the norms."""
    chance = math.log(max(2, batch.allowed.shape[1]))
    parts = {f"loss_{name}": value.detach() for name, value in tasks.items()}
    shares = {f"chance_{name}": value.detach() / chance for name, value in tasks.items()}
    norms = {"norm_query": query.norm, "norm_text": item.text_norm, "norm_image": item.image_norm}
    return parts | shares | norms
