"""Whether a hit's relevance is a probability, and what shoppers ask for that the shop lacks.

Shapes: Q queries, K hits.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from smar.evaluation.reliability import Reliability, reliability_of
from smar.index.hybrid import HybridIndex
from smar.index.relevance import WEAK
from smar.index.sought import search_sought
from smar.judging.runs import QuerySet, Run, grades_of
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries

_MOST = 2000  # queries of the log that are looked at, the most searched first


@dataclass(frozen=True)
class RelevanceResult:
    """The relevance of hits against what is known of them.

    Args:
        reliability: Over all hits of all queries.
        cut: The probability below which hits can be left out.
        kept: Share of the relevant hits that are at least so probable.
        gone: Share of the others that are not.
    """

    reliability: Reliability
    cut: float
    kept: float
    gone: float

    def summary(self) -> dict[str, float]:
        """Return the figures in plain types."""
        own = {"cut": self.cut, "kept": self.kept, "gone": self.gone}
        return self.reliability.summary() | {name: round(own[name], 6) for name in own}


def relevance_of(index: HybridIndex, queries: QuerySet, run: Run) -> RelevanceResult | None:
    """Return how well the index foretells which hits are relevant; None without a calibration.

    Args:
        index: The index.
        queries: The queries with what is known.
        run: What the search found.
    """
    if index.calibration is None:
        return None
    texts = [index.sought(text).text for text in index.read(queries.texts)]
    chances = np.stack([index.likely(*each) for each in zip(texts, run.scores, strict=True)])
    found = run.rows >= 0
    told, relevant = chances[found], (grades_of(run, queries) >= queries.relevant_grade)[found]
    enough = told >= index.calibration.cut
    reliability = reliability_of("a hit is relevant", told.astype(np.float32), relevant)
    return RelevanceResult(
        reliability,
        index.calibration.cut,
        kept=float(enough[relevant].mean()) if relevant.any() else float("nan"),
        gone=float((~enough[~relevant]).mean()) if not relevant.all() else float("nan"),
    )


def weak_queries(
    index: HybridIndex, model: DualEncoder, queries: pd.DataFrame, titles: pd.Series
) -> pd.DataFrame:
    """Return the logged queries whose best hit is more likely irrelevant than relevant.

    What shoppers ask for and the shop may lack, the most searched first: columns query, searches,
    relevance and title of the best hit, and whether nothing is left above the calibration's cut.

    Args:
        index: The index.
        model: Encodes queries.
        queries: Table as `schema.QUERIES`; the 2,000 most searched are looked at.
        titles: Title of each row of the index.
    """
    columns = ["query", "searches", "relevance", "best_hit", "nothing_left"]
    logged = queries[queries["num_searches"] > 0]
    logged = logged.sort_values(["num_searches", "query"], ascending=[False, True])
    logged = logged.drop_duplicates("query").head(_MOST)  # a text may be judged and logged
    if index.calibration is None or logged.empty:
        return pd.DataFrame(columns=columns)
    texts = logged["query"].tolist()
    asked = [index.sought(text) for text in index.read(texts)]
    read = [one.text for one in asked]
    scores, rows = search_sought(index, asked, encode_queries(model, read), 1)
    best = [float(index.likely(text, row)[0]) for text, row in zip(read, scores, strict=True)]
    table = pd.DataFrame(
        {
            "query": texts,
            "searches": logged["num_searches"].to_numpy(),
            "relevance": np.round(best, 4),
            "best_hit": titles.to_numpy()[rows[:, 0]],
            "nothing_left": np.array(best) < index.calibration.cut,
        }
    )
    return table[table["relevance"] < WEAK].reset_index(drop=True)
