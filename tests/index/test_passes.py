"""What passes leave: every item as good as the last one wanted, wherever the items lie."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smar.index.passes import best_of, left_by, merged, settled

HARD = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "size": st.sampled_from([1, 9, 400]),
        "levels": st.sampled_from([1, 3, 50, 10_000]),  # of scores: how many are equal
        "depth": st.sampled_from([1, 7, 120]),
        "shards": st.sampled_from([1, 2, 5]),
    }
)


def drawn(seed: int, size: int, levels: int) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, (rng.integers(levels, size=(3, size)) / 8).astype(np.float32)


def search_of(scores: np.ndarray, rng: np.random.Generator):
    """Return a search that breaks ties by lot, each time anew; queries are numbers of lines."""

    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        own = scores[queries[:, 0].astype(np.int64)]
        order = np.lexsort((rng.random(own.shape), -own), axis=1)[:, :k]
        return np.take_along_axis(own, order, 1), order

    return search


QUERIES = np.arange(3, dtype=np.float32)[:, None]


@given(drawn_from=HARD, slack=st.sampled_from([0.0, 0.25]))
def test_shards_leave_what_one_index_leaves(drawn_from: dict[str, int], slack: float):
    rng, scores = drawn(*(drawn_from[name] for name in ("seed", "size", "levels")))
    size, depth, shards = (drawn_from[name] for name in ("size", "depth", "shards"))
    lies_in = rng.integers(shards, size=size)
    errs = np.full(3, slack, np.float32)
    near, rows_of = [], []
    for number in range(shards):
        rows = np.flatnonzero(lies_in == number)
        rows_of.append(rows)
        if len(rows):
            search = search_of(scores[:, rows], rng)
            near.append(settled(search, QUERIES, min(depth, len(rows)), len(rows), errs))
        else:
            near.append((np.empty((3, 0), np.float32), np.empty((3, 0), np.int64)))
    left = left_by(near, depth, errs)
    place = max(size - depth, 0)
    bound = np.partition(scores, place, axis=1)[:, place] - np.float32(slack)
    for query in range(3):
        found = [
            rows[own[query][own[query] >= 0]] for rows, (_, own) in zip(rows_of, left, strict=True)
        ]
        wanted = np.flatnonzero(scores[query] >= bound[query])
        assert set(wanted) <= set(np.concatenate(found).tolist())
        if len(wanted) < size:
            assert set(wanted) == set(np.concatenate(found).tolist())


@given(drawn_from=HARD)
def test_best_of_shards_are_the_best_of_all_ties_by_row(drawn_from: dict[str, int]):
    rng, scores = drawn(*(drawn_from[name] for name in ("seed", "size", "levels")))
    size, k, shards = (drawn_from[name] for name in ("size", "depth", "shards"))
    rows = np.tile(np.arange(size), (3, 1))
    parts = [np.flatnonzero(rng.integers(shards, size=size) == 0)]
    parts.append(np.setdiff1d(np.arange(size), parts[0]))
    found = merged([best_of(scores[:, part], rows[:, part], k) for part in parts], k)
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    expected = np.full((3, k), -1)
    expected[:, : order.shape[1]] = order
    assert found[1].tolist() == expected.tolist()
    told = np.take_along_axis(scores, order, 1)
    assert found[0][:, : order.shape[1]].tolist() == told.tolist()
    assert (found[0][:, order.shape[1] :] == -np.inf).all()
