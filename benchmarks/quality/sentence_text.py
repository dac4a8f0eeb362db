"""sentence-transformers, text only: one encoder for queries and items, in-batch negatives."""

import itertools

import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Trial, arguments
from benchmarks.quality.training import Batch, fit
from smar.evaluation.runs import QuerySet, Run
from smar.index.exact import exact_search

_SIZE = 512


def main() -> None:
    """Train, measure and record."""
    options = arguments(__doc__)
    given = encoders.Inputs(options)

    def trial(learning_rate: float, scale: float) -> Trial:
        model = encoders.text_model(given.tokenizer)
        loss = MultipleNegativesRankingLoss(model, scale=scale)

        def loss_of(batch: Batch) -> torch.Tensor:
            asked = given.queries.features(batch.query)
            return loss([asked, given.items.features(batch.item)], None)

        spent = fit(
            model,
            loss_of,
            given.data,
            size=_SIZE,
            learning_rate=learning_rate,
            processor_s=options.processor_seconds,
        )
        found = encoders.encode(model, given.items)

        def rank(asked: QuerySet) -> Run:
            texts = encoders.Texts(given.tokenizer, asked.texts)
            scores, rows = exact_search(encoders.encode(model, texts), found, DEPTH)
            return Run("sentence_transformers_text", rows, scores)

        return Trial({"learning_rate": learning_rate, "scale": scale}, rank, *spent)

    tried = itertools.product(options.learning_rates, options.scales)
    given.shop.record("sentence_transformers_text", [trial(*each) for each in tried])


if __name__ == "__main__":
    main()
