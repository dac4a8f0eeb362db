"""Generalised contrastive learning: fields averaged into one vector, pairs weighted by their grade.

Marqo's GCL (arXiv 2404.08535): weighted in-batch cross-entropy in both directions over a weighted
mean of an item's title and picture; the weight of a missing field goes to the rest.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cross_entropy, normalize

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Shop, Trial, arguments
from benchmarks.quality.training import Batch, fit
from smar.evaluation.runs import QuerySet, Run
from smar.index.exact import exact_search

_SIZE, _SCALE = 512, 20.0
_SHARES = (0.5, 0.9)
"""Weights of the picture: equal fields, and the 0.9 of the paper."""


class FieldAverage:
    """A dual encoder whose items are the mean of their fields.

    Args:
        model: The dual encoder.
        items: Item texts.
        pictures: Item pictures.
        share: Weight of the picture, in [0, 1].
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
    options = arguments(__doc__)
    shop = Shop(options.root, options.data)
    data = shop.training_data()
    tokenizer = encoders.tokenizer_of(shop, shop.params.model.text.max_tokens)
    queries = encoders.Texts(tokenizer, data.queries)
    items, pictures = encoders.Texts(tokenizer, shop.texts), encoders.Pictures(shop)

    def trial(learning_rate: float, share: float) -> Trial:
        model = encoders.dual_encoder(shop, tokenizer)
        fields = FieldAverage(model, items, pictures, share)

        def loss_of(batch: Batch) -> torch.Tensor:
            asked = encoders.vectors(model, queries.features(batch.query))
            logits = _SCALE * asked @ fields.items(batch.item).T
            target = torch.arange(len(logits))
            weight = torch.from_numpy(batch.grade / batch.grade.mean()).float()
            both = [cross_entropy(each, target, reduction="none") for each in (logits, logits.T)]
            return ((both[0] + both[1]) / 2 * weight).mean()

        spent = fit(
            list(model.parameters()),
            loss_of,
            data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )
        found = encoders.encode(fields.items, len(shop.texts))

        def rank(asked: QuerySet) -> Run:
            texts = encoders.Texts(tokenizer, asked.texts)
            asked_for = encoders.encode(
                lambda rows: encoders.vectors(model, texts.features(rows)), len(asked)
            )
            scores, rows = exact_search(asked_for, found, DEPTH)
            return Run("gcl_fields", rows, scores)

        return Trial({"learning_rate": learning_rate, "picture": share}, rank, *spent)

    rates = options.learning_rates
    shop.record("gcl_fields", [trial(rate, share) for share in _SHARES for rate in rates])


if __name__ == "__main__":
    main()
