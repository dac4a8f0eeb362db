"""Teachers: a larger trained model, or a file of scores such as a cross-encoder's.

Shapes: Q queries and B items of a step.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from smar.artifacts import MANIFEST
from smar.data.item_source import ItemSource
from smar.errors import ParamsError
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_items, encode_queries
from smar.models.io import load_model
from smar.models.pretrained import PARTS, Checkpoint
from smar.models.teachers import COLUMNS, SCORES, pair_params
from smar.models.tokenizer import tokenizer_of
from smar.params import TeacherParams
from smar.train.batching import Taught
from smar.train.dataset import TrainingData
from smar.train.guide import Guide, known_queries
from smar.train.negatives import HardPool

logger = logging.getLogger(__name__)

_BATCH = 256


@dataclass(frozen=True)
class ScoredByFile:
    """Scores of some pairs.

    Args:
        scores: By row of query text and row of item, [queries, items]; 0 stands for no score.
        lowest: What is taken off the stored scores: these are above 0.
    """

    scores: csr_matrix
    lowest: float

    @classmethod
    def read(cls, file: Path, data: TrainingData, item_ids: list[str]) -> "ScoredByFile":
        """Return the scores of a file; pairs of texts and items that nobody trains on are left out.

        Raises:
            ParamsError: If it has a score that is no number, or no known pair.
        """
        table = pd.read_parquet(file, columns=list(COLUMNS))
        values = pd.to_numeric(table["score"], errors="coerce").to_numpy(np.float64)
        if len(wrong := np.flatnonzero(~np.isfinite(values))):
            raise ParamsError(
                f"{file}: {len(wrong)} scores are no numbers (first in row {wrong[0]})."
            )
        rows = pd.Series(range(len(data.queries)), index=[str(text) for text in data.queries])
        query = table["query"].map(rows[~rows.index.duplicated()]).to_numpy(np.float64)
        of_item = pd.Series(range(len(item_ids)), index=item_ids)
        item = table["item_id"].astype(str).map(of_item).to_numpy(np.float64)
        known = np.isfinite(query) & np.isfinite(item)
        logger.info("%s: %d of %d scored pairs are of known texts", file, known.sum(), len(known))
        if not known.any():
            raise ParamsError(
                f"{file}: none of its {len(known)} pairs is of a query that is trained on and of "
                "an item of the catalogue; expected queries as shoppers type them, and item ids."
            )
        lowest = float(values.min()) - 1.0
        cells = (query[known].astype(np.int64), item[known].astype(np.int64))
        frame = pd.DataFrame({"query": cells[0], "item": cells[1], "score": values[known] - lowest})
        means = frame.groupby(["query", "item"])["score"].mean()
        places = [means.index.get_level_values(name).to_numpy() for name in ("query", "item")]
        shape = len(data.queries), len(item_ids)
        matrix = csr_matrix((means.to_numpy(), tuple(places)), shape=shape)
        return cls(matrix.astype(np.float32), lowest)

    def __call__(self, queries: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of queries with items, [Q, B]; NaN where there is none."""
        found = self.scores[queries][:, items].toarray()
        return np.where(found > 0, found + np.float32(self.lowest), np.float32(np.nan))

    def pool(self, per_step: int) -> HardPool:
        """Return the scored items, so that some of them join each step."""
        ones = csr_matrix(
            (np.ones_like(self.scores.data), self.scores.indices, self.scores.indptr),
            shape=self.scores.shape,
        )
        return HardPool(ones, per_step)


def read_teacher(
    teacher: Checkpoint | None,
    params: TeacherParams,
    data: TrainingData,
    items: pd.DataFrame,
    pictures: ItemSource,
) -> tuple[Taught | None, list[HardPool]]:
    """Return what scores the pairs of a step, and what of it joins a step; nothing without one.

    Args:
        teacher: As `find_teacher` returns it.
        params: The section `finetune.teacher`.
        data: The training data.
        items: Item table (`schema.ITEMS`).
        pictures: The picture store.

    Raises:
        ParamsError: If the scores say nothing of what is trained on.
        ArtifactError: If the model is damaged.
    """
    if teacher is None:
        return None, []
    file = teacher.folder / SCORES
    if file.is_file():
        scored = ScoredByFile.read(file, data, list(items["item_id"].astype(str)))
        return scored, [scored.pool(params.joined)] if params.joined else []
    if (teacher.folder / MANIFEST).is_file():
        guide = Guide.of(load_model(teacher.folder), data, items, pictures)
    else:
        guide = _of_pair(teacher, data, items, pictures)
    logger.info("the teacher %s scores %d items", teacher.name, len(items))
    return guide.scores, []


def _of_pair(
    teacher: Checkpoint, data: TrainingData, items: pd.DataFrame, pictures: ItemSource
) -> Guide:
    """Return what a pretrained model of texts and pictures says as it came.

    An item's score is the mean of its text's and its pictures', or its text's without a picture.
    """
    model = _pair(teacher)
    made = encode_items(model, items, pictures, _BATCH)
    queries = known_queries(data)
    asked = encode_queries(model, [data.queries[row] for row in queries]).vector / 2
    image = np.where(made.image.any(1, keepdims=True), made.image, made.text)
    return Guide(queries, np.hstack([asked, asked]), np.hstack([made.text, image]))


def _pair(teacher: Checkpoint) -> DualEncoder:
    """Return a pretrained model of texts and pictures, its towers as they came."""
    params = pair_params(teacher)
    of_query, of_text = (
        tokenizer_of(teacher, part, is_query=is_query)
        for part, is_query in ((params.query, True), (params.text, False))
    )
    return build_model(
        params,
        query_tokenizer=of_query,
        text_tokenizer=of_text,
        picture_size=teacher.picture_settings().size,
        starts=dict.fromkeys(PARTS, teacher),
    ).eval()
