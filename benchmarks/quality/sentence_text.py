"""sentence-transformers, text only: one encoder for queries and items, in-batch negatives.

The same once more with smar's words beside the vectors, their share chosen on validation queries.
"""

import itertools
from functools import partial

import numpy as np
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.quality import encoders
from benchmarks.quality.shop import DEPTH, Trial, arguments
from benchmarks.quality.training import Batch, fit
from smar.index.ann import gated_items
from smar.index.building import build_index
from smar.index.choice import SHARES
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings

_SIZE = 512


def main() -> None:
    """Train, measure and record."""
    options = arguments(__doc__)
    given = encoders.Inputs(options)
    words = WordIndex.build(given.shop.texts)

    def trials(learning_rate: float, scale: float) -> dict[float, Trial]:
        """Return a trained model's trials by share of the words."""
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
        item_ids, settings = list(given.shop.items["item_id"]), given.shop.params.index
        vectors = gated_items(found, found)
        index = build_index(vectors, item_ids, settings, lambda: vectors)

        def rank(asked: QuerySet, share: float) -> Run:
            texts = encoders.Texts(given.tokenizer, asked.texts)
            encoded = QueryEmbeddings(
                encoders.encode(model, texts), np.zeros(len(asked), np.float32)
            )
            scores, rows = HybridIndex(index, words, share).search(asked.texts, encoded, DEPTH)
            return Run("sentence_transformers_text", rows, scores)

        tried = {"learning_rate": learning_rate, "scale": scale}
        return {
            share: Trial(tried | {"word_share": share}, partial(rank, share=share), *spent)
            for share in SHARES
        }

    tried = itertools.product(options.learning_rates, options.scales)
    found = [trials(*each) for each in tried]
    given.shop.record("sentence_transformers_text", [each[0.0] for each in found])
    given.shop.record(
        "sentence_transformers_text_words", [trial for each in found for trial in each.values()]
    )


if __name__ == "__main__":
    main()
