"""The training steps: model and batch in, named losses out; nothing here knows about files or time.

Shapes: Q queries, B items.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smar.losses import Loss, loss_of_equal_scores
from smar.losses.scored import ScoredPairs
from smar.models.dual_encoder import DualEncoder
from smar.params.kinds import FUSIONS
from smar.train.batching import Batch
from smar.train.gating import gated_loss, mixed_pairs
from smar.train.scoring import Encoded, encode_batch, encode_items_of, pairs_of
from smar.train.weighting import TaskWeights


@dataclass(frozen=True)
class StepOutput:
    """What a step returns.

    Args:
        loss: The scalar that is minimised.
        parts: Values worth logging, detached, by name.
        tasks: The tasks that are trained: those whose `chance_` should fall.
    """

    loss: Tensor
    parts: dict[str, Tensor]
    tasks: frozenset[str]


Step = Callable[[DualEncoder, Batch], StepOutput]


_LEAST_CHANCE = 1e-6  # no negative is allowed anywhere: 0 of 0
TASKS = ("text", "image", "multimodal")


def pretrain_step(weights: TaskWeights, loss: Loss, tasks: Sequence[str] = TASKS) -> Step:
    """Return the step `L = alpha L_t + beta L_i + gamma L_m` (SMAR, 2023), or some of its terms."""
    trained = frozenset(tasks) & set(weights.tasks)

    def step(model: DualEncoder, batch: Batch) -> StepOutput:
        encoded = encode_batch(model, _without_unused_pictures(model, batch, trained))
        losses, chances = _task_losses(encoded, batch, loss)
        parts = _log(losses, chances, weights) | _norms(encoded)
        total = weights({name: losses[name] for name in trained})
        return StepOutput(total, parts, trained)

    return step


def alignment_step(weights: TaskWeights, loss: Loss) -> Step:
    """Return the step that aligns S_t and S_i of each item, without any query.

    The loss of texts against pictures and of pictures against texts, half each, over the items that
    have a picture (CLIP, 2021). Items equal in text and pictures are no negatives of each other.
    """

    def step(model: DualEncoder, batch: Batch) -> StepOutput:
        item = encode_items_of(model, batch)
        rows = item.has_picture.nonzero().squeeze(1)
        with torch.autocast(item.text.device.type, enabled=False):
            scores = item.text[rows] @ item.image[rows].T
        group = batch.group[rows]
        allowed = group[:, None] != group[None, :]
        losses, chances = [], []
        for matrix in (scores, scores.T):
            pairs = ScoredPairs(
                scores=matrix,
                target=torch.arange(len(rows), device=rows.device),
                allowed=allowed,
                shown=torch.zeros_like(allowed),
                grade=matrix.new_ones(len(rows)),
            )
            losses.append(loss(pairs).sum() / max(1, len(rows)))
            chances.append(loss_of_equal_scores(pairs, loss).sum() / max(1, len(rows)))
        named = {"alignment": (losses[0] + losses[1]) / 2}
        parts = _log(named, {"alignment": (chances[0] + chances[1]) / 2}, weights)
        parts |= {"norm_text": item.text_norm, "norm_image": item.image_norm}
        return StepOutput(weights(named), parts, frozenset(named))

    return step


def finetune_step(weights: TaskWeights, loss: Loss) -> Step:
    """Return the step on clicks with the gate, plus the pre-training tasks at small weights."""
    trained = frozenset(weights.tasks)

    def step(model: DualEncoder, batch: Batch) -> StepOutput:
        encoded = encode_batch(model, _without_unused_pictures(model, batch, trained))
        losses, chances = _task_losses(encoded, batch, loss)
        losses["gated"] = gated_loss(model.gate, encoded, batch, loss)
        with torch.no_grad():
            chances["gated"] = loss_of_equal_scores(mixed_pairs(encoded, batch), loss).mean()
        parts = _log(losses, chances, weights) | _norms(encoded)
        parts["gate_mean"] = encoded.query.gate_logit.sigmoid().mean().detach()
        return StepOutput(weights(losses), parts, trained)

    return step


def _without_unused_pictures(model: DualEncoder, batch: Batch, trained: frozenset[str]) -> Batch:
    """Return the batch without its pictures if nothing that is trained looks at them."""
    if FUSIONS[model.options.fusion].facts["SEES_PICTURES"] or "image" in trained:
        return batch
    return replace(batch, pictures=batch.pictures[:0], owner=batch.owner[:0])


def _task_losses(
    encoded: Encoded, batch: Batch, loss: Loss
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the mean losses Q.S_t, Q.S_i and Q.S_m, and what each is without learning.

    The image task leaves out items without a picture, on both sides; the multimodal task keeps them
    (their S_m is S_t), so that one ranking holds both kinds.
    """
    item = encoded.item
    pictured = item.has_picture[batch.target]  # [Q]
    with_picture = batch.allowed & item.has_picture[None, :]
    losses: dict[str, Tensor] = {}
    chances: dict[str, Tensor] = {}
    for name, items, allowed in (
        ("image", item.image, with_picture),
        ("text", item.text, batch.allowed),
        ("multimodal", item.multimodal, batch.allowed),
    ):
        pairs = pairs_of(encoded.merged(encoded.similarity(items)), batch, allowed)
        values, level = loss(pairs), loss_of_equal_scores(pairs, loss)
        if name == "image":
            num_pictured = pictured.sum().clamp(min=1)
            losses[name] = (values * pictured).sum() / num_pictured
            chances[name] = (level * pictured).sum() / num_pictured
        else:
            losses[name], chances[name] = values.mean(), level.mean()
    return {name: losses[name] for name in TASKS}, chances


def _log(
    losses: dict[str, Tensor], chances: dict[str, Tensor], weights: TaskWeights
) -> dict[str, Tensor]:
    """Return each loss, its share of that of equal scores (1: chance), and the learned weights."""
    parts = {f"loss_{name}": value.detach() for name, value in losses.items()}
    shares = {
        f"chance_{name}": value.detach() / chances[name].clamp(min=_LEAST_CHANCE)
        for name, value in losses.items()
    }
    return parts | shares | weights.values()


def _norms(encoded: Encoded) -> dict[str, Tensor]:
    return {
        "norm_query": encoded.query.norm,
        "norm_text": encoded.item.text_norm,
        "norm_image": encoded.item.image_norm,
    }
