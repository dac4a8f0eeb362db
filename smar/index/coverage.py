"""Whether embeddings and index hold what the catalogue holds, and find what is there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.checks import Checked, shown
from smar.errors import ArtifactError
from smar.index.ann import VectorIndex, gated_items, gated_queries
from smar.index.exact import exact_search
from smar.index.store import EmbeddingStore, check_unit_rows
from smar.params import IndexParams
from smar.seeding import generator

# A sample other than the one the index was chosen by may lie a little lower.
_SAMPLE_ERROR = 0.02


def check_norms(store: EmbeddingStore) -> Checked:
    """Return whether every vector is finite and of length 1, so that inner product is cosine."""
    problems = []
    for name in ("text", "image", "multimodal"):
        try:
            check_unit_rows(getattr(store, name), name, allow_zero=name == "image")
        except ArtifactError as error:
            problems.append(str(error))
    return Checked(
        name="rows_have_unit_norm",
        passed=not problems,
        text=" ".join(problems) or "all rows",
        figures={"rows": len(store.item_ids), "dim": store.text.shape[1]},
    )


def check_coverage(name: str, catalogue: Sequence[str], held: Sequence[str]) -> Checked:
    """Return whether rows are those of the catalogue: every item once, in its order.

    Words are indexed in the catalogue's order, so that in another one they would be those of
    other items than the vectors.

    Args:
        name: The check's name.
        catalogue: Item ids of the item table, [N].
        held: Item ids of the rows.
    """
    missing = sorted(set(catalogue) - set(held))
    extra = sorted(set(held) - set(catalogue))
    problems = []
    if missing:
        problems.append(f"{len(missing)} items are missing: {shown(missing)}")
    if extra:
        problems.append(f"{len(extra)} items are not in the catalogue: {shown(extra)}")
    if not problems and list(catalogue) != list(held):
        problems.append(f"{len(held)} rows in another order than the catalogue's {len(catalogue)}")
    step = "Run `dvc repro embed index`, so that embeddings and index are of the same items"
    return Checked(
        name=name,
        passed=not problems,
        text=f"{'; '.join(problems)}. {step}" if problems else "every item, in its order",
        figures={"items": len(catalogue), "rows": len(held), "missing": len(missing)},
    )


def check_recall(
    index: VectorIndex,
    store: EmbeddingStore,
    params: IndexParams,
    seed: int,
    folder: Path | None = None,
) -> Checked:
    """Return whether the index finds what exact search finds, measured on a sample of its own.

    Args:
        index: The index.
        store: The embeddings it was built from.
        params: The `index` section.
        seed: Draws the sample.
        folder: Where the item rows lie meanwhile; None: in memory.
    """
    rng = generator(seed, "index check")
    recall = index_recall(index, store, params.recall_at, params.sample_queries, rng, folder)
    least = params.recall_target - _SAMPLE_ERROR
    seen = f"recall@{params.recall_at} {recall:.4f}, at least {least:.4f} expected"
    step = "Build it again with `dvc repro -f index`, or lower index.recall_target"
    return Checked(
        name="index_finds_what_exact_search_finds",
        passed=recall >= least,
        text=seen if recall >= least else f"{seen}. {step}",
        figures={f"recall@{params.recall_at}": recall, "queries": params.sample_queries},
    )


def index_recall(
    index: VectorIndex,
    store: EmbeddingStore,
    k: int,
    sample: int,
    rng: np.random.Generator,
    folder: Path | None = None,
) -> float:
    """Return the mean share of the true k best that the index finds.

    The queries are items' own multimodal vectors at gate 1/2, so that no model is needed.

    Args:
        index: The index.
        store: The embeddings it was built from.
        k: Results per query.
        sample: Number of queries.
        rng: Draws them.
        folder: Where the item rows lie meanwhile; None: in memory.
    """
    drawn = rng.choice(len(store.item_ids), min(sample, len(store.item_ids)), replace=False)
    vectors: NDArray[np.float32] = np.array(store.multimodal[drawn])
    queries = gated_queries(vectors, np.full(len(drawn), 0.5, np.float32))
    k = min(k, len(store.item_ids))
    found = index.search(queries, k)[1]
    rows = gated_items(store.text, store.multimodal, folder)
    truth = exact_search(queries, rows, k)[1]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shared)) / k
