"""Generalised contrastive learning: fields averaged into one vector, pairs weighted by their grade.

Marqo's GCL (arXiv 2404.08535): weighted in-batch cross-entropy in both directions over a weighted
mean of an item's title and picture; the weight of a missing field goes to the rest.
"""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cross_entropy, normalize

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Trial, picture_arguments
from benchmarks.quality.training import Batch, fit
from smar.index.exact import exact_search
from smar.judging.runs import QuerySet, Run

_SIZE = 512


class FieldAverage:
    """A dual encoder whose items are the mean of their fields.

    Args:
        model: The dual encoder.
        items: Item texts.
        pictures: Item pictures.
        share: Weight of the picture, in [0, 1]; the paper's is 0.9.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        items: encoders.Texts,
        pictures: encoders.Pictures,
        share: float,
    ) -> None:
        self.model, self.share = model, share
        self._items, self._pictures = items, pictures

    def items(self, rows: NDArray[np.int64]) -> torch.Tensor:
        """Return unit vectors of items, [n, D]."""
        share = self.share * torch.from_numpy(self._pictures.ids[rows] >= 0).float()[:, None]
        titles = encoders.vectors(self.model, self._items.features(rows))
        pictures = encoders.vectors(self.model, self._pictures.features(rows))
        return normalize((1 - share) * titles + share * pictures, dim=1)


def main() -> None:
    """Train, measure and record."""
    options = picture_arguments(__doc__, [0.5, 0.9])
    given = encoders.Inputs(options)

    def trial(learning_rate: float, scale: float, patch: int, share: float) -> Trial:
        model = encoders.dual_encoder(given, patch)
        fields = FieldAverage(model, given.items, given.pictures, share)

        def loss_of(batch: Batch) -> torch.Tensor:
            asked = encoders.vectors(model, given.queries.features(batch.query))
            logits = scale * asked @ fields.items(batch.item).T
            target = torch.arange(len(logits))
            weight = torch.from_numpy(batch.grade / batch.grade.mean()).float()
            both = [cross_entropy(each, target, reduction="none") for each in (logits, logits.T)]
            return ((both[0] + both[1]) / 2 * weight).mean()

        spent = fit(
            model,
            loss_of,
            given.data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )
        found = encoders.encode_rows(fields.items, len(given.items))

        def rank(asked: QuerySet) -> Run:
            texts = encoders.Texts(given.tokenizer, asked.texts)
            scores, rows = exact_search(encoders.encode(model, texts), found, DEPTH)
            return Run("gcl_fields", rows, scores)

        settings = {"learning_rate": learning_rate, "scale": scale}
        return Trial(settings | {"patch": patch, "picture": share}, rank, *spent)

    tried = itertools.product(
        options.learning_rates, options.scales, options.patches, options.shares
    )
    given.shop.record("gcl_fields", [trial(*each) for each in tried])


if __name__ == "__main__":
    main()
