"""By what the picture brings: fitted to engaged items under S_m against S_t after the training."""

from typing import cast

import torch
from torch import Tensor, nn

from smar.models.gate.base import Gate, GateWidths
from smar.models.gate.teaching import Benefit
from smar.params.section import Positive, Section

SETTLES = True
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


class KindGate(Gate):
    """`P(q) = sigmoid((b(q) - price) / softness)`, b(q) = what the picture is expected to bring.

    b(q) is the ridge regression, on the pooled query states, of
    `ln(1 + rank by S_t) - ln(1 + rank by S_m)` over engaged items. A single click says little, for
    people click on near misses too; a linear fit over all of them says which queries are answered
    better with the picture. Where it brings nothing, text is preferred: the price. While the towers
    are trained, a header that the clicks teach stands in its place.

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
        params: Price, softness and shrinkage.
    """

    def __init__(self, widths: GateWidths, params: Params) -> None:
        super().__init__()
        self.line = nn.Linear(widths.query, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.params = params

    def forward(self, pooled: Tensor) -> Tensor:
        """Return logits of P(q), [Q], from pooled query states [Q, H]; 0 before it is fitted."""
        return cast("Tensor", self.line(pooled).squeeze(-1).float())

    @torch.no_grad()
    def settle(self, benefit: Benefit) -> dict[str, float]:
        """Fit the line to what the picture brought; return the mean and what the fit explains."""
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
