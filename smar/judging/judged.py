"""The judged queries that a candidate and the current release are compared on."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.artifacts import write_json
from smar.errors import ArtifactError
from smar.judging.runs import QuerySet, build_query_set
from smar.judging.shop_sets import ShopSets
from smar.params import EvaluateParams
from smar.paths import Paths

_SLICE = "slice_"


@dataclass(frozen=True)
class JudgedQueries:
    """Queries and labels by id, so that any catalogue can be measured on them.

    Args:
        name: "trial", "validation" or "synthetic".
        queries: Columns query_id, query, num_searches, and slice_* of bools.
        labels: Columns query_id, item_id, grade.
        relevant_grade: Lowest grade that counts as relevant.
    """

    name: str
    queries: pd.DataFrame
    labels: pd.DataFrame
    relevant_grade: int

    def on(self, item_ids: list[str]) -> QuerySet:
        """Return the queries that have a relevant item among `item_ids`."""
        labels = self.labels[self.labels["item_id"].isin(set(item_ids))]
        return build_query_set(self.name, self.queries, labels, item_ids, self.relevant_grade)

    def slices(self, queries: QuerySet) -> dict[str, NDArray[np.bool_]]:
        """Return the slice masks of a set made by `on`, [Q] each."""
        table = self.queries.set_index("query_id").loc[queries.query_ids]
        names = [name for name in table.columns if name.startswith(_SLICE)]
        return {name.removeprefix(_SLICE): table[name].to_numpy(bool) for name in names}

    def write(self, folder: Path) -> None:
        """Write queries.parquet, labels.parquet and set.json."""
        self.queries.to_parquet(folder / "queries.parquet", index=False)
        self.labels.to_parquet(folder / "labels.parquet", index=False)
        content = {"name": self.name, "relevant_grade": self.relevant_grade}
        write_json(folder / "set.json", content)

    @classmethod
    def read(cls, folder: Path) -> "JudgedQueries":
        """Return what `write` wrote; the folder is part of a checked artefact."""
        try:
            content = json.loads((folder / "set.json").read_text(encoding="utf-8"))
            queries = pd.read_parquet(folder / "queries.parquet")
            labels = pd.read_parquet(folder / "labels.parquet")
            return cls(content["name"], queries, labels, content["relevant_grade"])
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"{folder}: cannot be read ({error}). `smar verify` tells what is damaged."
            ) from error


def judged_queries(
    paths: Paths,
    items: pd.DataFrame,
    evaluate: EvaluateParams,
    visual_categories: list[str],
    *,
    min_queries: int,
    seed: int,
) -> list[JudgedQueries]:
    """Return the queries that a release is decided on, and the log's where they are others.

    First the trial, validation or synthetic set, whichever is the first with `min_queries` queries
    that have a relevant item, or else the largest of them; then the validation set, which is judged
    by what shoppers did, if it is not the first and holds any. Never the test set: it decides
    nothing.

    Args:
        paths: The project; its tables are read.
        items: Item table.
        evaluate: Says from which grade on an item is relevant.
        visual_categories: Categories whose queries are visual.
        min_queries: How many queries are enough.
        seed: Decides the synthetic sample.
    """
    ids = list(items["item_id"])
    shop = ShopSets.read(paths, ids, evaluate.relevant_grade, seed)
    deciding = [one for one in shop.sets if one.name != "test"]
    enough = [one for one in deciding if len(one) >= min_queries]
    first = enough[0] if enough else max(deciding, key=len)
    engaged = next(one for one in deciding if one.name == "validation")
    chosen = [first] if first is engaged or not len(engaged) else [first, engaged]
    category = items["category"]
    return [_by_id(one, ids, shop.slices(one, category, visual_categories)) for one in chosen]


def _by_id(
    chosen: QuerySet, item_ids: list[str], masks: dict[str, NDArray[np.bool_]]
) -> JudgedQueries:
    """Return a query set of a catalogue with its slices, by ids."""
    table = pd.DataFrame(
        {"query_id": chosen.query_ids, "query": chosen.texts, "num_searches": chosen.num_searches}
        | {f"{_SLICE}{name}": mask for name, mask in masks.items()}
    )
    ids = np.array(item_ids, dtype=object)
    entries = chosen.qrels.tocoo()
    labels = pd.DataFrame(
        {
            "query_id": np.array(chosen.query_ids, dtype=object)[entries.row],
            "item_id": ids[entries.col],
            "grade": entries.data.astype(np.int64),
        }
    )
    return JudgedQueries(chosen.name, table, labels, chosen.relevant_grade)
