"""The systems that are compared, and their figures on a query set.

Shapes: Q queries, N items, D embedding length, K results.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smar.evaluation.baselines import bm25_run
from smar.evaluation.relevance import RelevanceResult
from smar.evaluation.reliability import Reliability, gate_reliability
from smar.evaluation.weights import Weights
from smar.index.exact import exact_search
from smar.index.hybrid import HybridIndex
from smar.index.query_vectors import Found, search_vectors
from smar.index.sought import search_sought
from smar.index.store import EmbeddingStore
from smar.judging.compare import Difference, mean_intervals, paired_difference
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings
from smar.params import EvaluateParams
from smar.seeding import generator

HYBRID = "hybrid"  # what a search answers with: gated vectors, and words as the index says
GATED = "gated"  # the gated vectors alone
BASELINES = (GATED, "text", "bm25")
LABELS = {
    HYBRID: "smar",
    GATED: "vectors alone",
    "multimodal": "S_m alone",
    "text": "S_t alone",
    "image": "S_i alone",
    "bm25": "BM25",
    "zero_shot": "zero-shot",  # the start before training, where it is aligned
}
_BLOCK = 512  # queries at once
# The random stream of a baseline keeps its name, so that the intervals of two releases are of the
# same resamples.
_STREAMS = {GATED: "dense"}


@dataclass(frozen=True)
class SetResult:
    """What was measured on one query set.

    Args:
        queries: The set.
        gate: P(q) of every query, [Q].
        runs: The run of every system.
        values: Metric values of every system, one per query.
        intervals: 95 % interval of every mean, `{system: {metric: (low, high)}}`.
        differences: The search as served against each baseline, on the primary metric.
        slices: Masks by slice name.
        reliability: The gate against what it may foretell, by outcome.
        relevance: The relevance of the hits of the search as served, None without a calibration.
        weights: How much text, picture and words counted, and why; None where that was not asked.
    """

    queries: QuerySet
    gate: NDArray[np.float32]
    runs: dict[str, Run]
    values: dict[str, dict[str, NDArray[np.float64]]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    differences: dict[str, Difference]
    slices: dict[str, NDArray[np.bool_]]
    reliability: dict[str, Reliability]
    relevance: RelevanceResult | None = None
    weights: Weights | None = None

    def mean(self, system: str, metric: str, part: str = "") -> float:
        """Return a mean over the set, or over a slice of it (NaN if that is empty)."""
        values = self.values[system][metric]
        chosen = values[self.slices[part]] if part else values
        return float(chosen.mean()) if len(chosen) else float("nan")

    def summary(self) -> dict[str, Any]:
        """Return the figures as nested plain types: means by system, slices, differences."""
        result: dict[str, Any] = {"queries": len(self.queries)}
        if self.queries.drawn_from:
            result["drawn_from"] = self.queries.drawn_from
        for system, values in self.values.items():
            result[system] = {metric: round(self.mean(system, metric), 6) for metric in values}
            result[system]["slices"] = {
                name: {m: round(self.mean(system, m, name), 6) for m in values}
                for name, mask in self.slices.items()
                if mask.any()
            }
        result["slice_queries"] = {name: int(mask.sum()) for name, mask in self.slices.items()}
        result["gate_mean"] = round(float(self.gate.mean()), 6)
        result["gate_reliability"] = {
            name: reliability.summary() for name, reliability in self.reliability.items()
        }
        if self.relevance is not None:
            result["relevance"] = self.relevance.summary()
        for system, difference in self.differences.items():
            gap = {name: round(value, 6) for name, value in vars(difference).items()}
            result[f"{HYBRID}_minus_{system}"] = gap
        return result


def run_systems(
    texts: Sequence[str],
    encoded: QueryEmbeddings,
    store: EmbeddingStore,
    index: HybridIndex,
    k: int,
) -> dict[str, Run]:
    """Return the runs of all systems, k results each; `hybrid` and `gated` go through the index.

    Args:
        texts: Normalised queries as they were typed, which is how BM25 reads them.
        encoded: The same as the index seeks them, which is how all others see them.
        store: Item embeddings.
        index: The index.
        k: Results per query.
    """
    runs = {}
    asked = [index.sought(text) for text in index.read(texts)]
    for name, searched in ((HYBRID, index), (GATED, replace(index, word_share=0.0, unseen=None))):
        scores, rows = search_sought(searched, asked, encoded, k)
        runs[name] = Run(name, rows, scores)
    for name in ("multimodal", "text", "image"):
        part = getattr(store, name)
        scores, rows = search_vectors(partial(_exact, part), encoded.vector, k)
        if name == "image":  # an item without a picture has no S_i, so it is no result
            rows = np.where(store.image[rows].any(axis=2) & (rows >= 0), rows, -1)
        runs[name] = Run(name, rows, scores)
    runs["bm25"] = bm25_run(index.words.of_texts(), texts, k)
    return runs


def blocks(
    texts: Sequence[str], encoded: QueryEmbeddings
) -> Iterator[tuple[Sequence[str], QueryEmbeddings]]:
    """Yield queries in blocks, which depend on their number alone: what is searched at once."""
    for start in range(0, len(texts), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield texts[part], QueryEmbeddings(encoded.vector[part], encoded.gate[part])


def joined(parts: Sequence[dict[str, Run]]) -> dict[str, Run]:
    """Return the runs of a set from those of its blocks, in their order."""
    return {
        name: Run(
            name,
            np.concatenate([part[name].rows for part in parts]),
            np.concatenate([part[name].scores for part in parts]),
        )
        for name in parts[0]
    }


def _exact(items: NDArray[np.float32], vectors: NDArray[np.float32], k: int) -> Found:
    return exact_search(vectors, items, k)


def measure(
    queries: QuerySet,
    gate: NDArray[np.float32],
    runs: dict[str, Run],
    slices: dict[str, NDArray[np.bool_]],
    params: EvaluateParams,
    seed: int,
) -> SetResult:
    """Return every metric of every run with intervals, and the paired differences."""
    values = {name: score_run(run, queries, params.cutoffs) for name, run in runs.items()}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    for system, metrics in values.items():
        table = np.stack(list(metrics.values()), axis=1)  # [Q, M]
        rng = generator(seed, "bootstrap", queries.name)  # the same resamples for every system
        low, high = mean_intervals(table, params.bootstrap, rng)
        intervals[system] = {
            metric: (float(low[place]), float(high[place])) for place, metric in enumerate(metrics)
        }
    differences = {
        baseline: paired_difference(
            values[HYBRID][params.primary],
            values[baseline][params.primary],
            params.bootstrap,
            generator(seed, "paired", queries.name, _STREAMS.get(baseline, baseline)),
        )
        for baseline in BASELINES
    }
    reliability = gate_reliability(
        gate,
        slices["visual"],
        values["multimodal"][params.primary],
        values["text"][params.primary],
    )
    return SetResult(queries, gate, runs, values, intervals, differences, slices, reliability)


def per_query_table(
    queries: QuerySet,
    values: dict[str, dict[str, NDArray[np.float64]]],
    slices: dict[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Return one row per query and system with every metric, for further analysis.

    `slices` names the slices of the query, parted by spaces.
    """
    names = np.array(list(slices))
    masks = np.array(list(slices.values())).reshape(len(names), -1)
    of_query = [" ".join(names[masks[:, row]]) for row in range(len(queries))]
    frames = []
    for system, metrics in values.items():
        frame = pd.DataFrame(metrics)
        frame.insert(0, "set", queries.name)
        frame.insert(1, "query_id", queries.query_ids)
        frame.insert(2, "query", queries.texts)
        frame.insert(3, "system", system)
        frame.insert(4, "slices", of_query)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def ordered(result: SetResult) -> list[str]:
    """Return the systems that were measured, in the order of the tables."""
    return [system for system in LABELS if system in result.values]
