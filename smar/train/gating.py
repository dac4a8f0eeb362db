"""What teaches each kind of gate.

Shapes: Q queries, B items.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from smar.losses import LOSSES
from smar.losses.scored import ScoredPairs
from smar.models.gate.mixture import gated_scores
from smar.params import GateParams, LossParams
from smar.train.batching import Batch
from smar.train.scoring import Encoded, pairs_of


def mixed_pairs(encoded: Encoded, batch: Batch) -> ScoredPairs:
    """Return the pairs with the scores a search gives: `(1-P) Q.S_t + P Q.S_m`."""
    scores = gated_scores(
        encoded.similarity(encoded.item.text),
        encoded.similarity(encoded.item.multimodal),
        encoded.query.gate_logit.sigmoid(),
    )
    return pairs_of(encoded.merged(scores), batch)


def _mixed_loss(encoded: Encoded, batch: Batch, loss: LossParams, gate: GateParams) -> Tensor:
    """Return the mean loss of the mixed scores: clicks alone teach P, where it can be taught."""
    return LOSSES[loss.kind](mixed_pairs(encoded, batch), loss).mean()


def _category_loss(encoded: Encoded, batch: Batch, loss: LossParams, gate: GateParams) -> Tensor:
    """Return the mean of `P L_m + (1-P) L_t + lambda CE(P, y)`, y = 1 for a visual query."""
    chance = encoded.query.gate_logit.sigmoid()  # [Q]
    of_text, of_both = (
        LOSSES[loss.kind](pairs_of(encoded.merged(encoded.similarity(items)), batch), loss)
        for items in (encoded.item.text, encoded.item.multimodal)
    )
    supervised = functional.binary_cross_entropy_with_logits(encoded.query.gate_logit, batch.visual)
    return (chance * of_both + (1 - chance) * of_text).mean() + gate.weight * supervised


GateLoss = Callable[[Encoded, Batch, LossParams, GateParams], Tensor]
GATE_LOSSES: dict[str, GateLoss] = {
    "never": _mixed_loss,
    "always": _mixed_loss,
    "category": _category_loss,
    "learned": _mixed_loss,
    "per_item": _mixed_loss,
}
