"""What teaches the gate in a step.

Shapes: Q queries, B items.
"""

from torch import Tensor

from smar.losses import Loss
from smar.losses.scored import ScoredPairs
from smar.models.gate.base import Gate
from smar.models.gate.mixture import gated_scores
from smar.models.gate.teaching import Lesson
from smar.train.batching import Batch
from smar.train.scoring import WHOLE, Encoded, Portion, pairs_of


def mixed_pairs(encoded: Encoded, batch: Batch, portion: Portion = WHOLE) -> ScoredPairs:
    """Return the pairs with the scores a search gives: `(1-P) Q.S_t + P Q.S_m`."""
    scores = gated_scores(
        encoded.similarity(encoded.item.text),
        encoded.similarity(encoded.item.multimodal),
        encoded.query.gate_logit.sigmoid(),
    )
    return pairs_of(encoded.merged(scores), batch, portion)


def gated_loss(gate: Gate, encoded: Encoded, batch: Batch, loss: Loss, portion: Portion) -> Tensor:
    """Return the loss that the gate's own kind asks for: a mean over the batch's queries."""

    def over(items: Tensor) -> Tensor:
        return loss(pairs_of(encoded.merged(encoded.similarity(items)), batch, portion))

    lesson = Lesson(
        text=lambda: over(encoded.item.text),
        multimodal=lambda: over(encoded.item.multimodal),
        mixed=lambda: loss(mixed_pairs(encoded, batch, portion)),
        logit=encoded.query.gate_logit,
        visual=batch.visual,
    )
    return gate.teach(lesson)
