"""By what the picture brings: fitted to engaged items under S_m against S_t after the training."""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smar.models.gate.base import Gate, GateWidths
from smar.models.gate.teaching import Benefit
from smar.models.text import TowerOutput
from smar.params.section import Fraction, Positive, Section

SETTLES = True
_FREE = 100.0  # inverse penalty of the trust
_SURE = 40.0  # a logit of 1, to float32
_LEAST_BELOW = 0.05  # of exchanged pictures, so that the share below is no matter of a few
_MOST_WRONG = 0.7  # of pictures; where more seem wrong, agreement does not tell which are
_LEAST_SCALE = 1e-4  # of a state that hardly varies, and of gains that do not


class Params(Section):
    """Parameters of this gate."""

    price: float = 0.15
    """What the picture has to bring before it counts more than the text, in ln of the rank: 0.15 is
    that it brings engaged items from rank 100 to 86."""
    softness: Positive = 0.1
    """How gradually it comes to count: P(q) is .27 at one softness below the price, .73 above."""
    shrinkage: Positive = 0.1
    """How far the fit is drawn to what the picture brings on average (ridge penalty)."""
    doubt: Fraction = 1.0
    """Weight of exchanged pictures, at most, where an item's text and picture are asked whether
    they belong together; less where fewer wrong ones are seen. 0: all pictures are taken as right.
    """


class KindGate(Gate):
    """`P(q) = sigmoid((b(q) - price) / softness)`, b(q) = what the picture is expected to bring.

    b(q) is the ridge regression, on the pooled query states, of
    `ln(1 + rank by S_t) - ln(1 + rank by S_m)` over engaged items. A single click says little, for
    people click on near misses too; a linear fit over all of them says which queries are answered
    better with the picture. Where it brings nothing, text is preferred: the price. While the towers
    are trained, a header that the clicks teach stands in its place; with `finetune.gated` 0 none.

    A picture of something else says nothing, or wrong things. So each item has a trust h, the
    chance that its picture is its own: a logistic regression on `S_t . S_i`, fitted to the items'
    own pictures against exchanged ones. It belongs to the item alone and is folded into what is
    indexed, `norm((1 - h) S_t + h S_m)`: still one vector an item and one search. Exchanged
    pictures weigh twice the share w of wrong ones that is seen (`wrong_frac`): own pictures of one
    agreement are wrong ones for the most part where they are less than 2 w times as frequent as
    exchanged ones. Where none is seen all are trusted, and so are they where nearly all would be
    wrong: towers that one loss taught `S_m` alone do not make texts and pictures agree.

    SMAR (2023) supervises its header by category and leaves a continuous gate as an open question;
    the form is our choice.

    Example:
        Queries that know one direction, in which the picture brings 1.

        >>> import torch
        >>> gate = KindGate(GateWidths.example(), Params(shrinkage=1e-6))
        >>> states = torch.eye(4)
        >>> _ = gate.settle(Benefit(states, torch.tensor([1.0, 0.0, 0.0, 0.0])))
        >>> [round(chance, 2) for chance in gate(states).sigmoid().tolist()]
        [1.0, 0.18, 0.18, 0.18]

    Args:
        widths: Widths of what the gate sees.
        params: Price, softness, shrinkage and doubt.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__()
        self.line = nn.Linear(widths.query, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.trust = nn.Linear(1, 1)
        nn.init.zeros_(self.trust.weight)
        nn.init.constant_(self.trust.bias, _SURE)
        self.params = params

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [Q], from pooled query states [Q, H]; 0 before it is fitted."""
        return cast("Tensor", self.line(pooled).squeeze(-1).float())

    def fold(self, text: TowerOutput, image: TowerOutput, fused: Tensor) -> Tensor:
        """Return `norm((1 - h) S_t + h S_m)`, [B, D]; S_m itself before h is fitted."""
        agreement = (text.embedding * image.embedding).sum(-1, keepdim=True)  # [B, 1]
        trust = self.trust(agreement.float()).sigmoid()
        return functional.normalize(torch.lerp(text.embedding, fused, trust), dim=-1)

    @torch.no_grad()
    def settle(self, benefit: Benefit) -> dict[str, float]:
        """Fit line and trust to what the picture brought; return figures of both.

        They are the mean gain, what the line explains of it, and the mean trust in own pictures
        and in exchanged ones, 1 where trust is not fitted.
        """
        figures = self._settle_line(benefit)
        self._settle_trust(benefit)
        for name, told in (("own", benefit.own), ("exchanged", benefit.exchanged)):
            trusted = self.trust(told.float()[:, None]).sigmoid()
            figures[f"picture_trust_{name}"] = float(trusted.mean()) if len(told) else 1.0
        return figures

    def _settle_trust(self, benefit: Benefit) -> None:
        """Fit the trust; where text and picture do not agree there is nothing to fit it by."""
        from sklearn.linear_model import LogisticRegression

        own, exchanged = (told.double().numpy() for told in (benefit.own, benefit.exchanged))
        if not (len(own) and own.mean() > exchanged.mean()):
            return
        wrong = wrong_frac(own, exchanged)
        doubt = min(self.params.doubt, 2 * wrong)
        if not doubt or wrong > _MOST_WRONG:
            return
        weight = np.concatenate([np.ones(len(own)), np.full(len(exchanged), doubt)])
        is_own = np.arange(len(weight)) < len(own)
        told = np.concatenate([own, exchanged])[:, None]
        fitted = LogisticRegression(C=_FREE).fit(told, is_own, weight)
        self.trust.weight.fill_(float(fitted.coef_[0, 0]))
        self.trust.bias.fill_(float(fitted.intercept_[0]))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Take over weights; a gate of before there was trust trusts every picture."""
        for name, value in self.trust.state_dict().items():
            state_dict.setdefault(f"{prefix}trust.{name}", value)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _settle_line(self, benefit: Benefit) -> dict[str, float]:
        states, gain = benefit.pooled.double(), benefit.gain.double()
        middle, scale = states.mean(0), states.std(0, correction=0) + _LEAST_SCALE
        scaled = (states - middle) / scale  # [P, H]
        penalty = self.params.shrinkage * torch.eye(scaled.shape[1], dtype=scaled.dtype)
        slope = torch.linalg.solve(
            scaled.T @ scaled / len(gain) + penalty,
            scaled.T @ (gain - gain.mean()) / len(gain),
        )
        expected = gain.mean() + scaled @ slope
        weight = slope / scale
        self.line.weight.copy_(weight[None] / self.params.softness)
        level = gain.mean() - middle @ weight - self.params.price
        self.line.bias.copy_(level / self.params.softness)
        return {
            "picture_gain": float(gain.mean()),
            "picture_gain_explained": float(expected.var() / gain.var().clamp(min=_LEAST_SCALE)),
        }


def wrong_frac(own: NDArray[np.float64], exchanged: NDArray[np.float64]) -> float:
    """Return how many of the items' pictures are another item's, at most, as their agreements tell.

    Own pictures are a mixture, `F_own = (1 - w) F_right + w F_exchanged`, so that
    `w <= F_own(t) / F_exchanged(t)` for every t, with equality where no right picture agrees so
    little: the least ratio is the estimate (Scott, 2015, on the share in a mixture).

    Args:
        own: Agreement of items with their pictures, [N].
        exchanged: With another item's picture, [M], M >= 1.
    """
    levels = np.sort(exchanged)
    below = np.arange(1, len(levels) + 1) / len(levels)
    is_enough = below >= _LEAST_BELOW
    of_own = np.searchsorted(np.sort(own), levels[is_enough], side="right") / len(own)
    return float((of_own / below[is_enough]).min())
