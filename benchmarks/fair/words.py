"""BM25 as a system of the fair study, and smar's words beside the vectors of any other.

Shapes: Q queries, N items.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import bm25s
import numpy as np
import pandas as pd
import Stemmer
from numpy.typing import NDArray

from benchmarks.fair.given import Given, part_of
from benchmarks.fair.learners import Learner
from benchmarks.fair.space import Settings
from smar.data.text import FIELDS
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.choice import choose_click_words, choose_exclusive_words, share_by
from smar.index.exact import exact_search
from smar.index.hybrid import HybridIndex
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings

DEPTH = 50
CHOSEN_BY = "recall@50"


class Bm25:
    """BM25 of bm25s over item texts in which each field stands as often as a setting says.

    Args:
        given: What every system gets.
        settings: k1, b, and how often each field is there.
        rows: Rows of the items that are searched; None for all.
    """

    def __init__(self, given: Given, settings: Settings, rows: NDArray[np.int64] | None) -> None:
        self._tokens = {
            "stopwords": [],
            "stemmer": Stemmer.Stemmer("english"),
            "show_progress": False,
        }
        texts = repeated(part_of(given.items, rows), settings)
        self._index = bm25s.BM25(k1=settings["k1"], b=settings["b"])
        self._index.index(bm25s.tokenize(texts, **self._tokens), show_progress=False)

    def run(self, texts: Sequence[str]) -> Run:
        """Return the 50 best items of queries, none without a word in common."""
        tokens = bm25s.tokenize(list(texts), **self._tokens, return_ids=False)
        rows, scores = self._index.retrieve(tokens, k=DEPTH, show_progress=False, sorted=True)
        found = np.asarray(scores, np.float32)
        return Run("bm25", np.where(found > 0, np.asarray(rows, np.int64), -1), found)


def repeated(items: pd.DataFrame, settings: Settings) -> list[str]:
    """Return one text per item, each field so often as its setting says."""
    of_fields = {
        "title": items["title"],
        "brand": items["brand"],
        "category": items["category"].str.split(" > ").str[-2:].str.join(" "),
        "attributes": items["attributes"].str.replace(r"[^;:]*:\s", " ", regex=True),
    }
    parts = [of_fields[name] for name in FIELDS for _ in range(settings[name])]
    return [" ".join(row) for row in zip(*parts, strict=True)]


def recall_of_choice(given: Given, learner: Learner) -> float:
    """Return R@50 of a learner's vectors on what trials are compared by."""
    choice = given.choice
    items = learner.items(choice.rows)
    asked = learner.queries(choice.queries.texts)
    found = exact_search(
        gated_queries(asked.vector, asked.gate), gated_items(items.text, items.multimodal), DEPTH
    )
    return recall(Run("trial", found[1], found[0]), choice.queries)


def recall(run: Run, queries: QuerySet) -> float:
    """Return the mean R@50 of a run."""
    return float(score_run(run, queries, [DEPTH])[CHOSEN_BY].mean())


def runs_of(given: Given, learner: Learner, name: str) -> tuple[dict[str, Run], dict[str, float]]:
    """Return a trained learner's runs over the test queries, and what was chosen of words.

    Runs are `NAME` (vectors alone), `NAME and words` (those of smar's item texts), `NAME and all
    words` (with those of clicks, of pictures where the learner looks at them, and less what
    excludes each other, for queries whose slips are mended), all by smar's code and chosen by
    validation queries as smar chooses, and, where the gate mixes two vectors, `NAME S_t`, its text
    vector alone.
    """
    items = learner.items(None)
    vectors = gated_items(items.text, items.multimodal)
    settings = given.shop.params.index
    index = build_index(vectors, list(given.items["item_id"]), settings, lambda: vectors)
    texts = given.test.texts
    asked = learner.queries(texts)
    plain = HybridIndex(index, given.words, 0.0)
    runs = {name: _search(plain, texts, asked, name)}
    share = _share(given, learner, plain)
    label = f"{name} and words"
    runs[label] = _search(replace(plain, word_share=share), texts, asked, label)
    shown = given.words_of_pictures(items.image, learner.seed)
    words = given.words.with_pictured(shown)
    pictured = replace(plain, words=words, spelling=given.spelling)
    pictured = replace(pictured, word_share=_share(given, learner, pictured))
    hybrid, more = _with_clicks(given, learner, pictured)
    label = f"{name} and all words"
    read = hybrid.read(texts)
    runs[label] = _search(hybrid, read, learner.queries(read), label)
    if not np.array_equal(items.text, items.multimodal) and not np.all(asked.gate == 1):
        alone = QueryEmbeddings(asked.vector, np.zeros_like(asked.gate))
        runs[f"{name} S_t"] = _search(plain, texts, alone, f"{name} S_t")
    return runs, {"share": share, "share_of_all": hybrid.word_share} | more


def words_alone(given: Given, seed: int) -> Run:
    """Return the run of smar's words with those of clicks and of plain colours, and no vector."""
    has_picture = (given.shop.main_pictures >= 0).astype(np.float32)[:, None]
    shown = given.words_of_pictures(has_picture, seed)
    words = given.with_clicked(given.words.with_pictured(shown), 1.0)
    found = [words.best(text, DEPTH) for text in given.test.texts]
    rows = np.full((len(found), DEPTH), -1, np.int64)
    scores = np.zeros(rows.shape, np.float32)
    for query, (of, shares) in enumerate(found):
        rows[query, : len(of)], scores[query, : len(of)] = of, shares
    return Run("bm25 and all words", rows, scores)


def _share(given: Given, learner: Learner, hybrid: HybridIndex) -> float:
    """Return the share of the words that validation queries choose."""
    return share_by(hybrid, given.validation, learner.queries, DEPTH)[0]


def _with_clicks(
    given: Given, learner: Learner, hybrid: HybridIndex
) -> tuple[HybridIndex, dict[str, float]]:
    """Return the index with words of clicks and those that exclude each other, and their weights.

    smar chooses both, in this order.
    """
    clicked, exclusive = partial(given.with_clicked, hybrid.words), given.exclusive
    by = given.validation, learner.queries, DEPTH, given.shop.params.seed
    weight, _ = choose_click_words(hybrid, clicked, *by)
    hybrid = replace(hybrid, words=clicked(weight))
    excluding = choose_exclusive_words(hybrid, exclusive, *by)[0]
    if excluding:
        hybrid = replace(hybrid, exclusive=replace(exclusive, weight=excluding))
    return hybrid, {"click_words": weight, "exclusive_words": excluding}


def _search(hybrid: HybridIndex, texts: Sequence[str], asked: QueryEmbeddings, name: str) -> Run:
    scores, rows = hybrid.search(texts, asked, DEPTH)
    return Run(name, rows, scores)
