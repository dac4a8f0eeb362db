"""Whether embeddings and index hold what the catalogue holds, and find what is there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smar.checks import Checked, shown
from smar.errors import ArtifactError
from smar.index.ann import VectorIndex
from smar.index.bests import ExactSearch
from smar.index.item_rows import ItemRows
from smar.index.store import EmbeddingStore, check_unit_rows
from smar.index.yardstick import as_queries, recall_of
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
    is_same = list(catalogue) == list(held)
    missing = [] if is_same else sorted(set(catalogue) - set(held))
    extra = [] if is_same else sorted(set(held) - set(catalogue))
    problems = []
    if missing:
        problems.append(f"{len(missing)} items are missing: {shown(missing)}")
    if extra:
        problems.append(f"{len(extra)} items are not in the catalogue: {shown(extra)}")
    if not (problems or is_same):
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
    vectors: NDArray[np.float32] | ItemRows,
    params: IndexParams,
    seed: int,
    exact: ExactSearch | None = None,
) -> Checked:
    """Return whether the index finds what exact search finds, measured on a sample of its own.

    The queries are drawn from the items themselves.

    Args:
        index: The vector index.
        vectors: The item rows that it is of, [N, 2 D], in memory or mapped.
        params: The `index` section.
        seed: Draws the sample.
        exact: Exact search in these vectors, if some is at hand.
    """
    size = min(params.sample_queries, len(vectors))
    drawn = generator(seed, "index check").choice(len(vectors), size, replace=False)
    queries, k = as_queries(vectors, drawn), min(params.recall_at, len(vectors))
    truth = (exact or ExactSearch(vectors)).rows(queries, k)
    recall = recall_of(index.search(queries, k)[1], truth)
    least = params.recall_target - _SAMPLE_ERROR
    seen = f"recall@{params.recall_at} {recall:.4f}, at least {least:.4f} expected"
    step = "Build it again with `dvc repro -f index`, or lower index.recall_target"
    return Checked(
        name="index_finds_what_exact_search_finds",
        passed=recall >= least,
        text=seen if recall >= least else f"{seen}. {step}",
        figures={f"recall@{params.recall_at}": recall, "queries": params.sample_queries},
    )
