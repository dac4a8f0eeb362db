"""What is chosen by measuring when an index is made: lists, settings, word shares, relevance.

Shapes: N items, Q queries, D embedding length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smar.data import schema
from smar.index.asked import Asked
from smar.index.bests import ExactSearch
from smar.index.building import build_index
from smar.index.choice import (
    Encode,
    ShareChoice,
    choose_click_words,
    choose_exclusive_words,
    choose_word_share,
    draw_queries,
)
from smar.index.exclusive_words import ExclusiveWords
from smar.index.hybrid import HybridIndex
from smar.index.kept_parts import Fit
from smar.index.layout import Layout
from smar.index.spelling import Spelling
from smar.index.unseen import UnseenWords
from smar.index.words import WordIndex
from smar.judging import sets
from smar.judging.held_out import held_out_synthetic
from smar.judging.runs import QuerySet
from smar.judging.shop_sets import ShopSets
from smar.judging.slices import LogFacts
from smar.judging.unseen_words import unseen_word_sets
from smar.models.embeddings import QueryEmbeddings
from smar.params import Params
from smar.paths import Paths

if TYPE_CHECKING:
    import pandas as pd


def encoder_of(paths: Paths) -> Encode:
    """Return what encodes queries; the model is loaded with the first of them."""
    from smar.models.encode import encode_queries
    from smar.models.io import load_model

    model = cache(partial(load_model, paths.retriever))
    return lambda texts: encode_queries(model(), texts)


@dataclass(frozen=True)
class Fitting:
    """The data that an index is fitted to.

    Args:
        paths: The project.
        params: Its parameters.
        items: Item table (`schema.ITEMS`), [N].
        vectors: Item rows `[S_t ; S_m]`, [N, 2 D].
        trained: The queries that the model was trained on.
        layout: Which items lie together in the index.
        exact: Exact search in the item rows.
    """

    paths: Paths
    params: Params
    items: "pd.DataFrame"
    vectors: NDArray[np.float32]
    trained: Sequence[str]
    layout: Layout
    exact: ExactSearch

    def fitted(
        self,
        clicked: Callable[[float], WordIndex],
        exclusive: Callable[[float], ExclusiveWords | None],
        spelling: Spelling | None,
    ) -> tuple[HybridIndex, Fit]:
        """Return the index with all that is chosen by measuring, and that.

        Args:
            clicked: Returns the word index over the same items, in which words of clicks have a
                weight.
            exclusive: Returns the words of items that exclude each other at a weight, None at 0.
            spelling: What queries are read by.
        """
        sample = cache(self._sample)
        ids = list(self.items["item_id"])
        vectors = build_index(self.vectors, ids, self.params.index, sample, self.layout, self.exact)
        index = HybridIndex(vectors, clicked(0.0), 0.0, spelling=spelling)
        choice = self._word_share(index)
        index = replace(index, word_share=choice.share)
        weight, by_weight = self._click_words(index, clicked)
        words = clicked(weight)
        unseen = None
        if choice.unseen_share is not None and choice.unseen_share > choice.share:
            unseen = UnseenWords.of(words, self.trained, choice.unseen_share)
        index = replace(index, words=words, unseen=unseen)
        excluding, figures = self._exclusive_words(index, exclusive)
        index = self._with_calibration(replace(index, exclusive=exclusive(excluding)))
        return index, Fit(
            stemmer=words.stemmer,
            word_share=index.word_share,
            click_words=weight,
            exclusive_words=excluding,
            unseen_share=unseen.share if unseen else None,
            relevance=index.calibration.as_dict() if index.calibration else None,
            details=vectors.details,
            figures={
                **{f"recall_with_word_share_{w:g}": mean for w, mean in choice.recalls.items()},
                **{f"ndcg_with_word_share_{w:g}": mean for w, mean in choice.ranks.items()},
                **{f"recall_with_click_words_{w:g}": mean for w, mean in by_weight.items()},
                **figures,
                **{f"unseen_ndcg_with_word_share_{w:g}": v for w, v in choice.unseen.items()},
            },
            sample=sample() if vectors.lists else self.vectors[:0],
            basis={},
            lists=vectors.lists,
            asked=Asked.of(self._asked, self._encode),
        )

    @cached_property
    def _encode(self) -> Encode:
        """What encodes queries, and remembers which were asked."""
        encode = encoder_of(self.paths)

        def remembered(texts: list[str]) -> QueryEmbeddings:
            self._asked.extend(texts)
            return encode(texts)

        return remembered

    @cached_property
    def _asked(self) -> list[str]:
        """The queries that were encoded so far."""
        return []

    def _sample(self) -> NDArray[np.float32]:
        """Return the vectors that an approximate index is measured with."""
        queries = schema.read_table(self.paths.queries, schema.QUERIES)
        # Settings are chosen by what is measured here, so it is not measured with judged queries.
        texts = queries.loc[queries["split"].isin(("train", "validation")), "query"].to_numpy()
        size, seed = self.params.index.sample_queries, self.params.seed
        return draw_queries(texts, self.vectors, self._encode, size, seed)

    def _word_share(self, index: HybridIndex) -> ShareChoice:
        """Return the words' share of params.yaml, or the one that is chosen."""
        share, seed = self.params.index.word_share, self.params.seed
        if share != "auto":
            return ShareChoice(share, None, {}, {}, {})
        queries, engagements = self._log
        ids: Sequence[str] = index.item_ids
        trained = LogFacts.of(queries, engagements, ids).trained
        unseen, _ = unseen_word_sets(self.items, trained, ids, seed)
        k = self.params.index.recall_at
        return choose_word_share(index, self._chosen_by, unseen, self._encode, k, seed)

    def _click_words(
        self, index: HybridIndex, clicked: Callable[[float], WordIndex]
    ) -> tuple[float, dict[float, float]]:
        """Return what words of clicks count, and the recall with each weight that was tried.

        Nothing is measured where nothing would be of the share of words.
        """
        params, chosen = self.params.index, self.params.index.click_words
        if chosen != "auto":
            return chosen, {}
        if params.word_share != "auto" or not len(self._log[1]):
            return 0.0, {}
        return choose_click_words(
            index, clicked, self._chosen_by, self._encode, params.recall_at, self.params.seed
        )

    def _exclusive_words(
        self, index: HybridIndex, exclusive: Callable[[float], ExclusiveWords | None]
    ) -> tuple[float, dict[str, float]]:
        """Return what excluding words take away, and what it was chosen by.

        Nothing is measured where nothing would be of the share of words.
        """
        params, chosen = self.params.index, self.params.index.exclusive_words
        if chosen != "auto":
            return chosen, {}
        words = None
        if params.word_share == "auto" and len(self._log[1]) and index.word_share:
            words = exclusive(1.0)
        if words is None:
            return 0.0, {}
        found = choose_exclusive_words(
            index, words, self._chosen_by, self._encode, params.recall_at, self.params.seed
        )
        weight, recalls, ranks = found
        return weight, {
            **{f"recall_with_exclusive_words_{w:g}": mean for w, mean in recalls.items()},
            **{f"ndcg_with_exclusive_words_{w:g}": mean for w, mean in ranks.items()},
        }

    @cached_property
    def _log(self) -> tuple["pd.DataFrame", "pd.DataFrame"]:
        """Queries and engagements."""
        queries = schema.read_table(self.paths.queries, schema.QUERIES)
        return queries, schema.read_table(self.paths.engagements, schema.ENGAGEMENTS)

    @cached_property
    def _chosen_by(self) -> QuerySet:
        """What shares and weights of words are chosen by."""
        ids: Sequence[str] = list(self.items["item_id"])
        held_out = held_out_synthetic(self.paths)
        return sets.choice_set(*self._log, held_out, ids, self.params.seed)

    def _with_calibration(self, index: HybridIndex) -> HybridIndex:
        """Return the index with probabilities fitted to the trial set, or what comes nearest."""
        from smar.index.calibrating import with_calibration

        grade, seed = self.params.evaluate.relevant_grade, self.params.seed
        shop = ShopSets.read(self.paths, index.item_ids, grade, seed)
        fitted_to = [one for one in shop.sets if one.name != "test"]
        return with_calibration(index, fitted_to, self._encode, self.trained, seed)
