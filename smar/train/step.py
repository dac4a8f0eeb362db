"""The training steps: model and batch in, named losses out; nothing here knows about files or time.

Shapes: Q queries, B items.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smar.losses import Loss, is_by_rows, loss_of_equal_scores
from smar.losses.scored import ScoredPairs
from smar.models.dual_encoder import DualEncoder, ItemOutput
from smar.models.gate.base import Gate
from smar.params import TeacherParams
from smar.params.kinds import FUSIONS
from smar.train.batching import Batch
from smar.train.distilling import distillation_loss
from smar.train.gating import gated_loss, mixed_pairs
from smar.train.scoring import WHOLE, Encoded, Portion, encode_batch, encode_items_of, pairs_of
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


@dataclass(frozen=True)
class Terms:
    """The losses of a step, or what a portion of its rows adds to them.

    Args:
        losses: Of each task, scalars by name.
        chances: What each is without learning.
    """

    losses: dict[str, Tensor]
    chances: dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """What a training step computes from encoded queries and items.

    Args:
        terms: Returns the losses of some rows of the scores.
        weights: Of the tasks.
        trained: The tasks that count.
        logged: Returns further values worth logging.
        by_rows: Whether the loss of a row can be told from the row alone.
        of_items: Whether the rows are the items that have a picture, and no query is looked at;
            else they are the queries.
    """

    terms: Callable[[Gate, Encoded, Batch, Portion], Terms]
    weights: TaskWeights
    trained: frozenset[str]
    logged: Callable[[Encoded], dict[str, Tensor]]
    by_rows: bool
    of_items: bool = False

    def __call__(self, model: DualEncoder, batch: Batch) -> StepOutput:
        """Return the losses of a batch."""
        batch = batch if self.sees_pictures(model) else _without_pictures(batch)
        if self.of_items:
            encoded = Encoded.of_items(encode_items_of(model, batch))
        else:
            encoded = encode_batch(model, batch)
        terms = self.at_all_lengths(model, encoded, batch, WHOLE)
        return self.output(self.total(terms), terms, encoded)

    def at_all_lengths(
        self, model: DualEncoder, encoded: Encoded, batch: Batch, portion: Portion
    ) -> Terms:
        """Return the losses of some rows, the mean over the lengths that the model is trained at.

        `1/|M| sum_m L(first m numbers)` (Kusupati et al., 2022, with equal weights).
        """
        lengths = model.options.lengths
        if not lengths:
            return self.terms(model.gate, encoded, batch, portion)
        found = [self.terms(model.gate, encoded.cut(n), batch, portion) for n in lengths]
        return Terms(_mean([t.losses for t in found]), _mean([t.chances for t in found]))

    def sees_pictures(self, model: DualEncoder) -> bool:
        """Return whether anything that is trained looks at pictures."""
        in_fusion = FUSIONS[model.options.fusion].facts["SEES_PICTURES"]
        return self.of_items or in_fusion or bool({"image", "alignment"} & self.trained)

    def total(self, terms: Terms, share: float = 1.0) -> Tensor:
        """Return the scalar that is minimised, or what a share of the rows adds to it."""
        trained = {name: loss for name, loss in terms.losses.items() if name in self.trained}
        return self.weights(trained, share)

    def output(self, loss: Tensor, terms: Terms, encoded: Encoded) -> StepOutput:
        """Return the step's loss with what is logged of it."""
        parts = _log(terms.losses, terms.chances, self.weights) | self.logged(encoded)
        return StepOutput(loss, parts, self.trained)


_LEAST_CHANCE = 1e-6  # no negative is allowed anywhere: 0 of 0
TASKS = ("text", "image", "multimodal")


def pretrain_step(
    weights: TaskWeights, loss: Loss, tasks: Sequence[str] = (*TASKS, "alignment")
) -> Step:
    """Return the step `L = alpha L_t + beta L_i + gamma L_m` (SMAR, 2023), or some of its terms.

    With a weight of the task alignment also that of `alignment_step`, over the items of the step.
    """
    trained = frozenset(tasks) & set(weights.tasks)

    def terms(gate: Gate, encoded: Encoded, batch: Batch, portion: Portion) -> Terms:
        found = _task_terms(encoded, batch, loss, portion, trained)
        return _aligned(found, encoded, batch, loss, portion) if "alignment" in trained else found

    return Step(terms, weights, trained, _norms, is_by_rows(loss))


def alignment_step(weights: TaskWeights, loss: Loss) -> Step:
    """Return the step that aligns S_t and S_i of each item, without any query.

    The loss of texts against pictures and of pictures against texts, half each, over the items that
    have a picture (CLIP, 2021). Items equal in text and pictures are no negatives of each other.
    """

    def terms(gate: Gate, encoded: Encoded, batch: Batch, portion: Portion) -> Terms:
        return _alignment_terms(encoded.item, batch, loss, portion.rows)

    def logged(encoded: Encoded) -> dict[str, Tensor]:
        return {"norm_text": encoded.item.text_norm, "norm_image": encoded.item.image_norm}

    trained = frozenset(weights.tasks)
    return Step(terms, weights, trained, logged, is_by_rows(loss), of_items=True)


def _aligned(found: Terms, encoded: Encoded, batch: Batch, loss: Loss, portion: Portion) -> Terms:
    """Return terms with those of the alignment of the step's items beside them."""
    part = slice(*portion.aligned) if portion.aligned else slice(None)
    added = _alignment_terms(encoded.item, batch, loss, part)
    return Terms(found.losses | added.losses, found.chances | added.chances)


def _alignment_terms(item: ItemOutput, batch: Batch, loss: Loss, part: slice) -> Terms:
    """Return the loss of S_t against S_i and the other way round, and what it is without learning.

    Args:
        item: The items.
        batch: Says which of them are one thing to a shopper.
        loss: Of a row of scores.
        part: Which of the items with a picture are rows; all of them are columns.
    """
    pictured = item.has_picture.nonzero().squeeze(1)
    text, image, group = item.text[pictured], item.image[pictured], batch.group[pictured]
    rows = torch.arange(len(pictured), device=pictured.device)[part]
    allowed = group[rows][:, None] != group[None, :]
    with torch.autocast(text.device.type, enabled=False):
        of_text = text[rows] @ image.T
        of_image = of_text.T if len(rows) == len(pictured) else image[rows] @ text.T
    losses, chances = [], []
    for scores in (of_text, of_image):
        pairs = ScoredPairs(
            scores=scores,
            target=rows,
            allowed=allowed,
            shown=torch.zeros_like(allowed),
            grade=scores.new_ones(len(rows)),
        )
        losses.append(loss(pairs).sum() / max(1, len(pictured)))
        chances.append(loss_of_equal_scores(pairs, loss).sum() / max(1, len(pictured)))
    mean, level = (losses[0] + losses[1]) / 2, (chances[0] + chances[1]) / 2
    return Terms({"alignment": mean}, {"alignment": level})


def finetune_step(weights: TaskWeights, loss: Loss, teacher: TeacherParams | None = None) -> Step:
    """Return the step on clicks: the gated loss and the pre-training tasks, by their weights.

    Without a weight of the gated loss nothing teaches a gate: one is fitted to the towers later.
    With a teacher the mixed scores learn its ranking as well, or those of S_m where nothing is
    mixed; with a weight of the task alignment texts and pictures of an item find each other.
    """
    trained = frozenset(weights.tasks)

    def terms(gate: Gate, encoded: Encoded, batch: Batch, portion: Portion) -> Terms:
        found = _task_terms(encoded, batch, loss, portion, trained)
        with _with_graph("gated" in trained):
            gated = gated_loss(gate, encoded, batch, loss, portion)
        found.losses["gated"] = gated * portion.share
        with torch.no_grad():
            level = loss_of_equal_scores(mixed_pairs(encoded, batch, portion), loss)
            found.chances["gated"] = level.mean() * portion.share
        if teacher and len(batch.taught):
            student = _student(encoded, batch, portion, is_mixed="gated" in trained)
            none = torch.zeros_like(student)
            for held, scores in ((found.losses, student), (found.chances, none)):
                parts = distillation_loss(
                    scores, batch.taught, teacher.temperature, teacher.teacher_temperature
                )
                held["taught"] = parts.mean() * portion.share
        return _aligned(found, encoded, batch, loss, portion) if "alignment" in trained else found

    def logged(encoded: Encoded) -> dict[str, Tensor]:
        gate_mean = encoded.query.gate_logit.sigmoid().mean().detach()
        return _norms(encoded) | {"gate_mean": gate_mean}

    return Step(terms, weights, trained, logged, is_by_rows(loss))


def _student(encoded: Encoded, batch: Batch, portion: Portion, *, is_mixed: bool) -> Tensor:
    """Return the scores that learn from a teacher, [Q, B]."""
    if is_mixed:
        return mixed_pairs(encoded, batch, portion).scores
    return encoded.merged(encoded.similarity(encoded.item.multimodal))


def _with_graph(is_trained: bool) -> AbstractContextManager[object]:
    """Return where a loss is computed: what is only looked at keeps nothing for gradients."""
    return torch.set_grad_enabled(is_trained and torch.is_grad_enabled())


def _mean(found: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([each[name] for each in found]).mean() for name in found[0]}


def _without_pictures(batch: Batch) -> Batch:
    return replace(batch, pictures=batch.pictures[:0], owner=batch.owner[:0])


def _task_terms(
    encoded: Encoded, batch: Batch, loss: Loss, portion: Portion, trained: Collection[str]
) -> Terms:
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
        with _with_graph(name in trained):
            scores = encoded.merged(encoded.similarity(items))
            pairs = pairs_of(scores, batch, portion, allowed)
            values, level = loss(pairs), loss_of_equal_scores(pairs, loss)
        if name == "image":
            counted = pictured.sum() if portion.pictured is None else portion.pictured
            num_pictured = counted.clamp(min=1)
            losses[name] = (values * pictured).sum() / num_pictured
            chances[name] = (level * pictured).sum() / num_pictured
        else:
            losses[name] = values.mean() * portion.share
            chances[name] = level.mean() * portion.share
    ordered = {name: losses[name] for name in TASKS}
    return Terms(ordered, chances)


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
