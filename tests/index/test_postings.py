"""The best items by words without looking at all of them, beside a sum over all."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.index import postings as module
from smar.index.postings import Postings


def make(num_items: int, found_in: list[float], seed: int, levels: int = 0) -> Postings:
    """Return words that are in a share of the items each; of few levels many sums are equal."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(rng.random(num_items) < share) for share in found_in]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in rows])]).astype(np.int64)
    rarity = [np.log(1 + num_items / (len(each) + 1)) for each in rows]
    weights = [
        rare
        * (rng.integers(1, levels + 1, len(each)) / levels if levels else rng.random(len(each)))
        for rare, each in zip(rarity, rows, strict=True)
    ]
    flat = np.concatenate(weights).astype(np.float32) + np.float32(1e-3)
    return Postings(starts, np.concatenate(rows).astype(np.int32), flat, num_items)


def drawn(sizes: list[int], ks: list[int]) -> Callable[..., Any]:
    """Return what draws words (`make`), a query of them, k and whether a filter stands before."""
    return given(
        seed=st.integers(0, 10_000),
        size=st.sampled_from(sizes),
        shares=st.lists(st.sampled_from([0.0, 0.002, 0.02, 0.3, 1.0]), min_size=1, max_size=6),
        k=st.sampled_from(ks),
        levels=st.sampled_from([0, 2]),
        is_filtered=st.booleans(),
        data=st.data(),
    )


def as_slow(found: Postings, words: list[int], k: int, mask: np.ndarray | None) -> set[int]:
    sums = found.sums(words) * (1 if mask is None else mask)
    order = np.lexsort((np.arange(len(sums)), -sums))[:k]
    return {int(row) for row in order if sums[row] > 0}


@drawn(sizes=[1, 40, 700, 5000], ks=[1, 3, 30, 200])
def test_best_are_those_of_all_sums(
    seed: int, size: int, shares: list[float], k: int, levels: int, is_filtered: bool,
    data: st.DataObject,
):  # fmt: skip
    found = make(size, shares, seed, levels)
    words = data.draw(st.lists(st.integers(0, len(shares) - 1), max_size=8))
    mask = np.random.default_rng(seed).random(size) < 0.3 if is_filtered else None
    rows, sums = found.best(words, k, allowed=mask)
    whole = found.sums(words)
    assert len(set(rows.tolist())) == len(rows)
    assert (sums == whole[rows]).all()  # bit for bit, whatever the order of the words
    assert as_slow(found, words, k, mask) <= set(rows.tolist())
    assert mask is None or mask[rows].all()
    assert (found.sums_of(words, rows) == sums).all()
    least = float(np.median(sums)) if len(sums) else 0.5
    reaching = whole >= least if mask is None else (whole >= least) & mask
    again = found.best(words, least=least, allowed=mask)[0]
    assert sorted(again.tolist()) == np.flatnonzero(reaching).tolist()


def test_common_word_that_decides_nothing_is_scored_for_few(monkeypatch: pytest.MonkeyPatch):
    found = make(200_000, [0.9, 0.003], 1, levels=1)
    looked_up: list[int] = []
    look_up = module._looked_up

    def spy(rows: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        looked_up.append(len(items))
        return look_up(rows, weights, items)

    monkeypatch.setattr(module, "_looked_up", spy)
    taken: list[int] = []
    monkeypatch.setattr(
        module._Search, "take", lambda *given, take=module._Search.take: (
            taken.append(len(given[1])), take(*given)
        ),
    )  # fmt: skip
    rows, _ = found.best([0, 1], 50)
    assert max(taken) < 1000
    assert looked_up
    assert max(looked_up) < 1000
    assert as_slow(found, [0, 1], 50, None) <= set(rows.tolist())


def test_threads_do_not_share_their_sums():
    found = make(3000, [0.2, 0.4, 0.1], 2)
    expected = sorted(found.best([0, 1, 2], 20)[0].tolist())
    wrong: list[object] = []

    def search() -> None:
        for _ in range(200):
            rows = found.best([0, 1, 2], 20)[0]
            if sorted(rows.tolist()) != expected:
                wrong.append(rows)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_search_that_was_broken_off_leaves_no_sums(monkeypatch: pytest.MonkeyPatch):
    found = make(500, [0.5, 0.5], 3)
    expected = sorted(found.best([0, 1], 10)[0].tolist())

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(module._Search, "close", stop)
        with pytest.raises(KeyboardInterrupt):
            found.best([0, 1], 10)
    assert sorted(found.best([0, 1], 10)[0].tolist()) == expected
