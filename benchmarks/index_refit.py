"""What an index finds whose lists were trained before some of its items came.

`python -m benchmarks.index_refit --folder PROJECT`: the items of a project's embeddings, of which
those of whole categories came after the training, which is the worst of changes: nothing like them
was there. Told are the recall of the settings of before (all queries, and those for what came), the
settings that reach the target with the lists of before, and with lists trained anew. Queries are
items' own vectors with noise.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.data import schema
from smar.index.ann import VectorIndex, gated_items, set_faiss_threads
from smar.index.exact import exact_search
from smar.index.layout import Layout
from smar.index.lists import Lists, trained
from smar.index.settings import DEPTH, candidates
from smar.index.store import EmbeddingStore
from smar.index.yardstick import recall_of
from smar.pages.text_table import aligned
from smar.paths import Paths

_K, _TARGET, _QUERIES, _NOISE = 50, 0.97, 500, 0.5


def rows_that_come(categories: list[str], share: float) -> NDArray[np.bool_]:
    """Return items of whole categories, about a share of all, [N]; the last one is cut."""
    names, numbers = np.unique(categories, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))[numbers]
    return np.argsort(np.argsort(order, kind="stable")) < share * len(categories)


def noisy(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return queries near to item rows, [Q, 2 D]."""
    drawn = np.random.default_rng(1).standard_normal(rows.shape).astype(np.float32)
    return rows / 2 + _NOISE * drawn / np.sqrt(rows.shape[1], dtype=np.float32)


def cheapest(
    index: VectorIndex,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    settings: list[dict[str, int]],
) -> int:
    """Return the place of the first of some settings that reaches the target, else the last."""
    for place, setting in enumerate(settings):
        if found_with(index, queries, truth, setting) >= _TARGET:
            return place
    return len(settings) - 1


def found_with(
    index: VectorIndex,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    setting: dict[str, int],
) -> float:
    """Return the recall of an index with a setting."""
    index.set(setting)
    return recall_of(index.search(queries, DEPTH)[1][:, :_K], truth)


def filled(factory: str, of: NDArray[np.float32], vectors: NDArray[np.float32]) -> VectorIndex:
    """Return the index of vectors with lists that were trained on others."""
    lists = Lists.of(trained(factory, of), vectors)
    return VectorIndex.of(lists.filled(vectors), [""] * len(vectors))


def row_of(share: float, categories: list[str], vectors: NDArray[np.float32]) -> list[str]:
    """Return a line of the table."""
    came = rows_that_come(categories, share)
    factory, _, settings = next(candidates(vectors, Layout()))
    drawn = np.random.default_rng(2).permutation(len(vectors))
    before = vectors[~came]
    early = noisy(before[np.random.default_rng(3).permutation(len(before))[:_QUERIES]])
    old = filled(factory, before, before)
    kept = cheapest(old, early, exact_search(early, before, _K)[1], settings)
    queries = noisy(vectors[drawn[:_QUERIES]])
    truth = exact_search(queries, vectors, _K)[1]
    grown, fresh = filled(factory, before, vectors), filled(factory, vectors, vectors)
    recall = found_with(grown, queries, truth, settings[kept])
    new = noisy(vectors[came][:_QUERIES])
    of_new = (
        found_with(grown, new, exact_search(new, vectors, _K)[1], settings[kept]) if len(new) else 1
    )
    needed = cheapest(grown, queries, truth, settings)
    anew = cheapest(fresh, queries, truth, settings)
    told = [" ".join(map(str, settings[place].values())) for place in (kept, needed, anew)]
    return [f"{share:.0%}", told[0], f"{recall:.3f}", f"{of_new:.3f}", *told[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="a project with embeddings")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.01, 0.05, 0.1, 0.2, 0.4])
    options = parser.parse_args()
    set_faiss_threads(1)
    paths = Paths(options.folder)
    store = EmbeddingStore.load(paths.embeddings)
    categories = list(schema.read_table(paths.items, schema.ITEMS)["category"])
    vectors = gated_items(store.text, store.multimodal)
    header = [
        "came after",
        "nprobe refined",
        "recall",
        "for what came",
        "with old lists",
        "with new",
    ]
    rows = [row_of(share, categories, vectors) for share in options.shares]
    print("\n".join(aligned([header, *rows], left=1)))


if __name__ == "__main__":
    main()
