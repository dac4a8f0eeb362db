"""Pictures as a step sees them: mirrored, cut and lit differently each time.

Shapes: M pictures, h height, w width.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from smar.params import AugmentParams
from smar.seeding import generator


@dataclass(frozen=True)
class Views:
    """How a step looks at its pictures: a pure function of seed and step.

    So a run that was stopped goes on with the same views, and the chunks of a step see what the
    whole step sees.

    Args:
        seed: Of the run.
        step: The step, counted from 0.
        settings: What may be changed, and how far.
    """

    seed: int
    step: int
    settings: AugmentParams

    def of(self, num_pictures: int) -> NDArray[np.float32]:
        """Return the views of a step's first pictures, [M, 6].

        Of each: -1 if it is mirrored, else 1; the share of its height and width that is seen; where
        the middle of that lies, from left and from top, 0 being the picture's own middle and 1 its
        edge; what pixels are multiplied by; and what their distance to the mean is multiplied by.
        """
        rng = generator(self.seed, "views", self.step)
        drawn = rng.random((num_pictures, 6))  # row after row: fewer pictures see the same
        change = self.settings
        seen = 1 - change.crop * drawn[:, 1]
        views = np.empty((num_pictures, 6), np.float32)
        views[:, 0] = np.where(drawn[:, 0] < change.flip, -1, 1)
        views[:, 1] = seen
        views[:, 2:4] = (2 * drawn[:, 2:4] - 1) * (1 - seen)[:, None]
        views[:, 4:6] = 1 + change.jitter * (2 * drawn[:, 4:6] - 1)
        return views


def seen_as(pictures: Tensor, views: NDArray[np.float32]) -> Tensor:
    """Return pictures under views, uint8 [M, h, w, 3].

    What is cut out keeps its proportions and is scaled to the whole by linear interpolation.

    Args:
        pictures: uint8, [M, h, w, 3].
        views: As `Views.of` returns them, [M, 6].
    """
    if not len(pictures):
        return pictures
    side, seen, right, down, light, contrast = torch.from_numpy(views).unbind(1)
    maps = torch.zeros(len(views), 2, 3)
    maps[:, 0, 0], maps[:, 0, 2] = side * seen, right
    maps[:, 1, 1], maps[:, 1, 2] = seen, down
    pixels = pictures.permute(0, 3, 1, 2).float()
    grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = (mean + (pixels - mean) * contrast[:, None, None, None]) * light[:, None, None, None]
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
