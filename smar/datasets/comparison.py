"""Published figures of a data set beside ours, on the same tasks.

Shapes: Q queries, K vectors a query, N items, D embedding length.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smar.data.schema import normalize_query
from smar.data.text import item_texts
from smar.datasets.answers import find_answers, queries_of
from smar.datasets.catalogue import Catalogue, differs, read_catalogue
from smar.datasets.dataset import Dataset, Task
from smar.datasets.folders import find_source
from smar.errors import DataError, list_problems
from smar.index.ann import gated_items
from smar.index.building import build_index
from smar.index.exact import exact_search
from smar.index.hybrid import HybridIndex
from smar.index.language import stemmer_of
from smar.index.query_vectors import search_vectors
from smar.index.words import WordIndex
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.models.device import place_model
from smar.models.embeddings import ItemEmbeddings, QueryEmbeddings
from smar.models.encode import encode_items, encode_queries
from smar.params import IndexParams
from smar.service.retriever import Retriever

PROTOCOL, SEARCH = "smar, as they do", "smar, its search"
_DEPTH = 10
_OF_ALL = (
    "the published systems learned elsewhere; a release that learned from this catalogue has seen "
    "it",
    f"'{PROTOCOL}' ranks by their documents (the picture, with a share of the title where products "
    f"are found); '{SEARCH}' reads whole titles, as words too",
)


@dataclass(frozen=True)
class Line:
    """One line of the comparison.

    Args:
        task: Name of the task.
        metric: As `judging.metrics` writes it.
        queries: Queries that were asked here.
        published: Value by system.
        ours: Value by system of ours; empty where there are no queries.
    """

    task: str
    metric: str
    queries: int
    published: dict[str, float]
    ours: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """Published figures beside ours.

    Args:
        lines: By task and metric.
        differs: What keeps the figures from being comparable, in words.
        release: What was measured, "" for the working tree.
    """

    lines: list[Line]
    differs: list[str]
    release: str


def compare(
    dataset: Dataset, folder: Path, truth: Path | None, root: Path, release: str, seed: int
) -> Comparison:
    """Return published figures beside those of a release on the same tasks.

    The catalogue is encoded with the release's model from titles and pictures alone, as the
    published systems saw it. "As they do" ranks by the picture's vector, or by that and the
    title's in the published shares; "its search" is what `smar search` does: gate, item vectors of
    both kinds, words.

    Args:
        dataset: What is compared.
        folder: Where it was downloaded to, or a part of it in one of its forms.
        truth: Folder of the published right answers; None looks into `folder`.
        root: The project's folder.
        release: As for `Retriever.load`.
        seed: Of the sample of queries where the right answers are made from the catalogue.

    Raises:
        DataError: If the data set has no task that can be run here, or the folder is not it.
        ReleaseError: If there is no such release.
    """
    if not dataset.tasks:
        raise DataError(_no_task(dataset))
    source = find_source(dataset, folder)
    answers = find_answers(dataset, source, truth)
    retriever = Retriever.load(root, release)
    place_model(retriever.model, 0)
    with tempfile.TemporaryDirectory(prefix="smar-dataset-") as temporary:
        catalogue = read_catalogue(dataset, source, retriever.model.image.size, Path(temporary))
        encoded = encode_items(retriever.model, catalogue.items, catalogue.images, 256)
        judge = _Judge(retriever, catalogue, encoded)
        lines: list[Line] = []
        notes = differs(dataset, catalogue)
        for task in dataset.tasks:
            queries, said = queries_of(dataset, source, task, answers, catalogue, seed)
            notes += said
            lines += _lines(dataset, task, queries, judge.values(task, queries))
    notes += [*_OF_ALL, *dataset.notes]
    return Comparison(lines, notes, retriever.release)


def _no_task(dataset: Dataset) -> str:
    figures = [f"{f.system}: {f.metric} {f.value:g} ({f.task})" for f in dataset.figures]
    headline = (
        f"{dataset.name}: no published task of it can be run here. `smar dataset prepare "
        f"{dataset.name}` and `dvc repro` give our figures; published are"
    )
    return list_problems(headline, [*(figures or ["none that we know"]), *dataset.notes])


class _Judge:
    """Ranks the catalogue for the queries of a task and measures the rankings.

    Args:
        retriever: Model, share of the words.
        catalogue: The items.
        encoded: Their vectors.
    """

    def __init__(self, retriever: Retriever, catalogue: Catalogue, encoded: ItemEmbeddings) -> None:
        self._retriever, self._encoded = retriever, encoded
        self._has_picture = (catalogue.items["image_ids"].str.len() > 0).to_numpy()
        texts = item_texts(catalogue.items)
        vectors = gated_items(encoded.text, encoded.multimodal)
        exact = IndexParams(exact_below=len(texts) + 1)
        self._index = HybridIndex(
            build_index(vectors, list(catalogue.items["item_id"]), exact, lambda: vectors[:0]),
            WordIndex.build(texts, stemmer=stemmer_of(texts)),
            retriever.word_share,
        )

    def values(self, task: Task, queries: QuerySet) -> dict[str, dict[str, float]]:
        """Return the mean of every metric by system of ours; {} without queries."""
        if not len(queries):
            return {}
        texts = [normalize_query(text) for text in queries.texts]
        encoded = encode_queries(self._retriever.model, texts)
        runs = [self._as_they_do(task, encoded)]
        if task.picture_share < 1:  # a title that looks for its picture is found by its own words
            runs.append(self._as_searched(texts, encoded))
        result = {}
        for run in runs:
            scores = score_run(run, queries, (1, _DEPTH))
            result[run.system] = {metric: float(scores[metric].mean()) for metric in task.metrics}
        return result

    def _as_they_do(self, task: Task, encoded: QueryEmbeddings) -> Run:
        """Return the best by the picture's vector, mixed with the title's in the task's share."""
        share = task.picture_share
        mixed = share * self._encoded.image + (1 - share) * self._encoded.text
        rows = np.flatnonzero(self._has_picture) if share == 1 else np.arange(len(mixed))
        norm = np.linalg.norm(mixed[rows], axis=1, keepdims=True)
        documents = (mixed[rows] / np.maximum(norm, 1e-12)).astype(np.float32)
        scores, found = search_vectors(
            lambda vectors, k: exact_search(vectors, documents, k), encoded.vector, _DEPTH
        )
        return Run(PROTOCOL, np.append(rows, -1)[found], scores)  # -1 reads the -1 at the end

    def _as_searched(self, texts: Sequence[str], encoded: QueryEmbeddings) -> Run:
        """Return the best by gated vectors and words, over all items, as `smar search` does."""
        scores, rows = self._index.search(texts, encoded, _DEPTH)
        return Run(SEARCH, rows, scores)


def _lines(
    dataset: Dataset, task: Task, queries: QuerySet, values: dict[str, dict[str, float]]
) -> list[Line]:
    return [
        Line(
            task=task.name,
            metric=metric,
            queries=len(queries),
            published={
                figure.system: figure.value
                for figure in dataset.figures
                if (figure.task, figure.metric) == (task.name, metric)
            },
            ours={system: found[metric] for system, found in values.items()},
        )
        for metric in task.metrics
    ]


def as_dict(dataset: Dataset, comparison: Comparison) -> dict[str, Any]:
    """Return a comparison in plain types."""
    return {
        "dataset": dataset.name,
        "figures_from": dataset.figures_from,
        "release": comparison.release,
        "lines": [vars(line) for line in comparison.lines],
        "differs": comparison.differs,
    }
