"""sentence-transformers, multimodal: queries against titles and against pictures, scores added.

The dual encoder has two losses with in-batch negatives; how much the picture counts in a score is
chosen on validation.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Trial, picture_arguments
from benchmarks.quality.training import Batch, fit
from smar.index.exact import exact_search
from smar.judging.runs import QuerySet, Run

_SIZE = 384


def main() -> None:
    """Train, measure and record."""
    options = picture_arguments(__doc__, [0.1, 0.3, 0.5, 0.7, 0.9])
    given = encoders.Inputs(options)
    queries, items, pictures = given.queries, given.items, given.pictures
    name = "sentence_transformers_multimodal"

    def trials(learning_rate: float, scale: float, patch: int) -> list[Trial]:
        model = encoders.dual_encoder(given, patch)
        loss = MultipleNegativesRankingLoss(model, scale=scale)

        def loss_of(batch: Batch) -> torch.Tensor:
            of_text = loss([queries.features(batch.query), items.features(batch.item)], None)
            pictured = np.flatnonzero(pictures.ids[batch.item] >= 0)
            asked = queries.features(batch.query[pictured])
            return of_text + loss([asked, pictures.features(batch.item[pictured])], None)

        spent = fit(
            model,
            loss_of,
            given.data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )
        by_text, by_picture = encoders.encode(model, items), encoders.encode(model, pictures)
        by_picture[pictures.ids < 0] = 0

        def ranking(share: float) -> Callable[[QuerySet], Run]:
            vectors = np.hstack([(1 - share) * by_text, share * by_picture])

            def rank(asked: QuerySet) -> Run:
                vector = encoders.encode(model, encoders.Texts(given.tokenizer, asked.texts))
                scores, rows = exact_search(np.hstack([vector, vector]), vectors, DEPTH)
                return Run(name, rows, scores)

            return rank

        settings = {"learning_rate": learning_rate, "scale": scale, "patch": patch}
        return [Trial(settings | {"picture": s}, ranking(s), *spent) for s in options.shares]

    tried = itertools.product(options.learning_rates, options.scales, options.patches)
    given.shop.record(name, [trial for each in tried for trial in trials(*each)])


if __name__ == "__main__":
    main()
