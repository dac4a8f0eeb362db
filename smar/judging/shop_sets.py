"""The query sets of a project with what their slices are told by.

Shapes: Q queries, N items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.data import schema
from smar.judging import sets
from smar.judging.held_out import held_out_synthetic
from smar.judging.runs import QuerySet
from smar.judging.slices import LogFacts, slices_of
from smar.paths import Paths


@dataclass(frozen=True)
class ShopSets:
    """What a project can be measured on.

    Args:
        sets: The test, trial, validation and synthetic sets, each of any length.
        log: What the search log says about queries and items.
    """

    sets: Sequence[QuerySet]
    log: LogFacts

    @classmethod
    def read(cls, paths: Paths, item_ids: list[str], relevant_grade: int, seed: int) -> "ShopSets":
        """Return the sets of a project's accepted tables.

        Args:
            paths: The project.
            item_ids: Ids of the items that are searched, [N].
            relevant_grade: Lowest grade of a judgement that counts as relevant.
            seed: Draws the samples.
        """
        queries = schema.read_table(paths.queries, schema.QUERIES)
        engagements = schema.read_table(paths.engagements, schema.ENGAGEMENTS)
        judgements = schema.read_table(paths.judgements, schema.JUDGEMENTS)
        synthetic = held_out_synthetic(paths)
        found = (
            sets.test_set(queries, judgements, item_ids, relevant_grade),
            sets.trial_set(queries, judgements, item_ids, relevant_grade),
            sets.validation_set(
                queries, engagements, item_ids, most=sets.MOST_VALIDATION, seed=seed
            ),
            sets.synthetic_set(synthetic, item_ids, seed),
        )
        return cls(found, LogFacts.of(queries, engagements, item_ids))

    def slices(
        self, queries: QuerySet, category: pd.Series, visual_categories: list[str]
    ) -> dict[str, NDArray[np.bool_]]:
        """Return the named slices of one of the sets, as masks [Q]; see `slices_of`."""
        return slices_of(queries, category, visual_categories, self.log)
