"""sentence-transformers, text only: one encoder for queries and items, in-batch negatives."""

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Shop, Trial, arguments
from benchmarks.quality.training import Batch, fit
from smar.evaluation.runs import QuerySet, Run
from smar.index.exact import exact_search

_SIZE = 512


def main() -> None:
    """Train, measure and record."""
    options = arguments(__doc__)
    shop = Shop(options.root, options.data)
    data = shop.training_data()
    tokenizer = encoders.tokenizer_of(shop, shop.params.model.text.max_tokens)
    queries = encoders.Texts(tokenizer, data.queries)
    items = encoders.Texts(tokenizer, shop.texts)

    def trial(learning_rate: float) -> Trial:
        model = encoders.text_model(tokenizer)
        loss = MultipleNegativesRankingLoss(model)

        def loss_of(batch: Batch) -> torch.Tensor:
            return loss([queries.features(batch.query), items.features(batch.item)], None)

        spent = fit(
            list(model.parameters()),
            loss_of,
            data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )

        def vectors_of(texts: encoders.Texts, number: int) -> NDArray[np.float32]:
            return encoders.encode(lambda r: encoders.vectors(model, texts.features(r)), number)

        found = vectors_of(items, len(shop.texts))

        def rank(asked: QuerySet) -> Run:
            asked_for = vectors_of(encoders.Texts(tokenizer, asked.texts), len(asked))
            scores, rows = exact_search(asked_for, found, DEPTH)
            return Run("sentence_transformers_text", rows, scores)

        return Trial({"learning_rate": learning_rate}, rank, *spent)

    shop.record("sentence_transformers_text", [trial(rate) for rate in options.learning_rates])


if __name__ == "__main__":
    main()
