"""What the vectors of a pretrained start find before it is trained, and whether training cost any.

Shapes: Q queries, K vectors a query, N items of a sample, D embedding length.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.checks import Checked
from smar.data import schema
from smar.data.item_source import ItemSource
from smar.judging.held_out import held_out_synthetic
from smar.judging.metrics import judge, recall
from smar.judging.runs import QuerySet, Run
from smar.judging.sets import choice_set
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.paths import Paths
from smar.seeding import generator

logger = logging.getLogger(__name__)

NAME = "not_worse_than_its_start"
_K = 50
_MOST_QUERIES = 300
_MOST_ITEMS = 2000  # a picture tower of CLIP's size encodes 20 a second on two cores
_BATCH = 128
_MARGIN = 0.01


@dataclass(frozen=True)
class Trial:
    """Held-out queries and a sample of the catalogue that holds their items.

    Args:
        queries: The log's validation queries, or held-out synthetic ones.
        sample: Rows of the item table, [N].
        items: The item table.
        images: The picture store.
    """

    queries: QuerySet
    sample: NDArray[np.int64]
    items: pd.DataFrame
    images: ItemSource

    @classmethod
    def read(cls, paths: Paths, items: pd.DataFrame, images: ItemSource, seed: int) -> "Trial":
        """Return the trial of a project.

        Args:
            paths: The project.
            items: Item table (`schema.ITEMS`).
            images: The picture store.
            seed: Draws queries and items.
        """
        queries = choice_set(
            schema.read_table(paths.queries, schema.QUERIES),
            schema.read_table(paths.engagements, schema.ENGAGEMENTS),
            held_out_synthetic(paths),
            list(items["item_id"]),
            seed,
        )
        rng = generator(seed, "trial of a start")
        chosen = np.sort(rng.permutation(len(queries))[:_MOST_QUERIES])
        needed = np.unique(queries.qrels[chosen].indices)
        others = rng.permutation(np.setdiff1d(np.arange(len(items)), needed))
        sample = np.sort(np.concatenate([needed, others[: max(0, _MOST_ITEMS - len(needed))]]))
        part = QuerySet(
            name=queries.name,
            query_ids=[queries.query_ids[row] for row in chosen],
            texts=[queries.texts[row] for row in chosen],
            num_searches=queries.num_searches[chosen],
            qrels=queries.qrels[chosen][:, sample],
            relevant_grade=queries.relevant_grade,
        )
        return cls(part, sample, items, images)

    def recall(self, model: DualEncoder) -> dict[str, float]:
        """Return the recall at 50 of each kind of item vector, 0 to 1; nothing without a query."""
        if not len(self.queries):
            return {}
        was_training = model.training
        model.eval()
        query = encode_queries(model, self.queries.texts)
        items = encode_items(model, self.items.iloc[self.sample], self.images, _BATCH)
        model.train(was_training)
        kinds = ("text", "image", "multimodal")
        scores = {kind: _scores(query.vector, getattr(items, kind)) for kind in kinds}
        gate = query.gate[:, None]
        scores["gated"] = (1 - gate) * scores["text"] + gate * scores["multimodal"]
        return {kind: self._recall(kind, found) for kind, found in scores.items()}

    def _recall(self, kind: str, scores: NDArray[np.float32]) -> float:
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :_K]
        run = Run(kind, rows, np.take_along_axis(scores, rows, axis=1))
        return float(recall(judge(run, self.queries, _K), _K).mean())


def _scores(query: NDArray[np.float32], items: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return dot products [Q, N], of several vectors the best."""
    scores: NDArray[np.float32] = query @ items.T
    return scores.max(axis=1) if scores.ndim == 3 else scores


def check_against_start(start: Mapping[str, float], end: Mapping[str, float], ran: str) -> Checked:
    """Return whether the best vectors after training find as much as the best of the start.

    Args:
        start: Recall of each kind of vector before training; empty for a model from nothing.
        end: The same after it.
        ran: The stage, for the message.
    """
    before = {kind: value for kind, value in start.items() if kind in {"text", "image"}}
    if not before or not end:
        return Checked(name=NAME, passed=True, text="nothing was pretrained", figures={})
    first, last = (max(found, key=lambda kind: found[kind]) for found in (before, end))
    told = (
        f"recall@{_K} of the vectors on held-out queries: {before[first]:.3f} ({first}) before "
        f"training, {end[last]:.3f} ({last}) after {ran}"
    )
    passed = end[last] >= before[first] - _MARGIN
    step = (
        f". Training made the pretrained start worse: lower {ran}.learning_rate or "
        f"{ran}.pretrained_rate, or take fewer steps"
    )
    figures = {"before": round(before[first], 4), "after": round(end[last], 4)}
    return Checked(name=NAME, passed=passed, text=told if passed else told + step, figures=figures)
