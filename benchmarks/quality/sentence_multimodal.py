"""sentence-transformers, multimodal: queries against titles and against pictures, scores added.

The dual encoder has two losses with in-batch negatives; how much the picture counts in a score is
chosen on validation.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Shop, Trial, arguments
from benchmarks.quality.training import Batch, fit
from smar.evaluation.runs import QuerySet, Run
from smar.index.exact import exact_search

_SIZE = 384
_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


def main() -> None:
    """Train, measure and record."""
    options = arguments(__doc__)
    shop = Shop(options.root, options.data)
    data = shop.training_data()
    tokenizer = encoders.tokenizer_of(shop, shop.params.model.text.max_tokens)
    queries = encoders.Texts(tokenizer, data.queries)
    items, pictures = encoders.Texts(tokenizer, shop.texts), encoders.Pictures(shop)
    name = "sentence_transformers_multimodal"

    def trials(learning_rate: float) -> list[Trial]:
        model = encoders.dual_encoder(shop, tokenizer)
        loss = MultipleNegativesRankingLoss(model)

        def loss_of(batch: Batch) -> torch.Tensor:
            of_text = loss([queries.features(batch.query), items.features(batch.item)], None)
            pictured = np.flatnonzero(pictures.ids[batch.item] >= 0)
            asked = queries.features(batch.query[pictured])
            return of_text + loss([asked, pictures.features(batch.item[pictured])], None)

        spent = fit(
            list(model.parameters()),
            loss_of,
            data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )

        def vectors_of(
            source: encoders.Texts | encoders.Pictures, number: int
        ) -> NDArray[np.float32]:
            return encoders.encode(lambda r: encoders.vectors(model, source.features(r)), number)

        by_text = vectors_of(items, len(shop.texts))
        by_picture = vectors_of(pictures, len(shop.texts))
        by_picture[pictures.ids < 0] = 0

        def ranking(share: float) -> Callable[[QuerySet], Run]:
            vectors = np.hstack([(1 - share) * by_text, share * by_picture])

            def rank(asked: QuerySet) -> Run:
                vector = vectors_of(encoders.Texts(tokenizer, asked.texts), len(asked))
                scores, rows = exact_search(np.hstack([vector, vector]), vectors, DEPTH)
                return Run(name, rows, scores)

            return rank

        settings = {"learning_rate": learning_rate}
        return [Trial(settings | {"picture": s}, ranking(s), *spent) for s in _SHARES]

    shop.record(name, [trial for rate in options.learning_rates for trial in trials(rate)])


if __name__ == "__main__":
    main()
