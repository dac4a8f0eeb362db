"""Words and pictures of an aligned start, brought nearer by contrast before any tower learns.

Shapes: N items, F numbers of a picture, V words, D numbers that both share, B items of a step.
"""

import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from smar.models.frozen import PooledTop
from smar.train.optim import learning_rate

logger = logging.getLogger(__name__)

_PASSES = 6  # over the items; after twice as many no more titles were found
_MOST_IN_STEP = 1024
_STEPS_OF_A_PASS = 8  # of a catalogue of fewer items than that many whole steps
_RATE, _WARMUP = 2e-3, 0.1
_TEMPERATURE = 0.05  # where it starts; it is learned
_LEFT_OUT = 0.2  # of the words of a text, and of the MLP's inner numbers that are new
_LEAST = 1e-6


@dataclass(frozen=True)
class Sides:
    """What belongs together.

    Args:
        seen: What the MLP sees of each item's pictures, [N, F].
        bag: Which words each item has, [N, V].
    """

    seen: NDArray[np.float16]
    bag: csr_matrix


def contrasted(top: PooledTop, sides: Sides, words: Tensor) -> Tensor:
    """Return word vectors [V, D] that find pictures better, and train the MLP that they find.

    An item's words w, each a unit vector, and its picture p meet in `u = norm(sum w)` and
    `v = norm(MLP(p))`; each finds the other among those of a step, by the symmetric InfoNCE of CLIP
    (Radford et al., 2021) at a learned temperature. Steps are large and cost little: features are
    there, and a text is a sum of its words. What the closed form gave the MLP stays, as do inner
    numbers that it did not use and that learn now.

    Args:
        top: The MLP over frozen pictures, as the closed form set it: its first D numbers.
        sides: Pictures and words of the items.
        words: Unit word vectors of the closed form, [V, D].
    """
    width, total = words.shape[1], sides.bag.shape[0]
    device = top.expand.weight.device
    vectors = nn.Parameter(words.clone().to(device))
    scale = nn.Parameter(torch.tensor(-math.log(_TEMPERATURE), device=device))
    trained = [vectors, scale, top.expand.weight, top.expand.bias]
    trained += [top.contract.weight, top.contract.bias]
    optimizer = torch.optim.Adam(trained, lr=_RATE, betas=(0.9, 0.98))
    size = min(_MOST_IN_STEP, max(2, total // _STEPS_OF_A_PASS))
    steps = _PASSES * (total // size)
    rows: list[NDArray[np.int64]] = []
    loss = torch.zeros(())
    for step in range(steps):
        if not rows:
            drawn = torch.randperm(total).numpy()
            rows = [drawn[first : first + size] for first in range(0, total - size + 1, size)]
        some = rows.pop()
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps, _RATE, _WARMUP)
        texts = _texts(vectors, sides.bag[some])
        seen = torch.from_numpy(sides.seen[some]).to(device).float()
        pictures = _pictures(top, seen, width)
        loss = _loss(texts @ pictures.T * scale.exp())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        _keep_closed_form(top, width)
        optimizer.step()
    logger.info("start: %d steps of %d items, loss %.3f at the end", steps, size, loss.item())
    return vectors.detach().cpu()


def _texts(vectors: Tensor, bag: csr_matrix) -> Tensor:
    """Return unit sums of the unit vectors of each row's words, some left out, [B, D]."""
    unit = functional.normalize(vectors, dim=1, eps=_LEAST)
    starts = torch.from_numpy(bag.indptr[:-1].astype(np.int64)).to(unit.device)
    kept = (torch.rand(bag.nnz) >= _LEFT_OUT).to(unit)
    words = torch.from_numpy(bag.indices.astype(np.int64)).to(unit.device)
    sums = functional.embedding_bag(words, unit, starts, mode="sum", per_sample_weights=kept)
    return functional.normalize(sums, dim=1, eps=_LEAST)


def _pictures(top: PooledTop, seen: Tensor, width: int) -> Tensor:
    """Return unit vectors of pictures, [B, D]."""
    inner = functional.gelu(top.expand(seen))
    new = functional.dropout(inner[:, 2 * width :], _LEFT_OUT)
    inner = torch.cat([inner[:, : 2 * width], new], dim=1)
    return functional.normalize(top.contract(inner)[:, :width], dim=1, eps=_LEAST)


def _loss(scores: Tensor) -> Tensor:
    own = torch.arange(len(scores), device=scores.device)
    both: Tensor = functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)
    return both / 2


def _keep_closed_form(top: PooledTop, width: int) -> None:
    """Take the gradients of the inner numbers that are the closed form's linear map."""
    for parameter in (top.expand.weight, top.expand.bias):
        if parameter.grad is not None:
            parameter.grad[: 2 * width] = 0.0
