"""Compiled code finds what `Postings` finds, and what is summed up over all items."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smar.index import word_kernels
from smar.index.compiled_words import CompiledWords
from smar.index.postings import Postings
from smar.index.words import WordIndex
from tests.index.test_postings import drawn, make

WINDOW = word_kernels._WINDOW


@drawn(sizes=[1, 40, 700, 3 * WINDOW + 1], ks=[1, 3, 30, 200, 20_000])
def test_best_are_those_of_all_sums(
    seed: int, size: int, shares: list[float], k: int, levels: int, is_filtered: bool,
    data: st.DataObject,
):  # fmt: skip
    postings = make(size, shares, seed, levels)
    words = tuple(data.draw(st.lists(st.integers(0, len(shares) - 1), max_size=8)))
    mask = np.random.default_rng(seed).random(size) < 0.3 if is_filtered else None
    compiled = CompiledWords(postings)
    whole = (postings.sums(words) / 3.7).astype(np.float32)
    allowed = whole if mask is None else whole * mask
    order = np.lexsort((np.arange(size), -allowed))[:k]
    order = order[allowed[order] > 0]
    rows, found = compiled.best(words, 3.7, k, mask)
    assert rows.tolist() == order.tolist()
    assert found.tobytes() == whole[order].tobytes()  # bit for bit
    least = float(np.median(found)) * 3.7 if len(found) else 0.5
    rows, found = compiled.reaching(words, 3.7, least, mask)
    sums = postings.sums(words)
    reached = sums >= least if mask is None else (sums >= least) & mask
    assert sorted(rows.tolist()) == np.flatnonzero(reached).tolist()
    assert (found == whole[rows]).all()


@given(
    seed=st.integers(0, 10_000),
    shares=st.lists(st.sampled_from([0.0, 0.02, 0.3, 1.0]), min_size=1, max_size=4),
    is_ascending=st.booleans(),
)
def test_shares_of_items_are_those_of_all_sums(seed: int, shares: list[float], is_ascending: bool):
    postings = make(900, shares, seed)
    rng = np.random.default_rng(seed)
    words = tuple(rng.integers(len(shares), size=5).tolist())
    items = rng.integers(900, size=300)
    items = np.sort(items) if is_ascending else items
    found = CompiledWords(postings).shares_of(words, 2.0, items)
    assert found.tobytes() == (postings.sums(words)[items] / 2).astype(np.float32).tobytes()


def test_hastened_index_answers_as_before():
    rng = np.random.default_rng(0)
    vocabulary = ["red", "blue", "boot", "sandal", "women", "acme", "leather", "usb c cable"]
    texts = [" ".join(rng.choice(vocabulary, 3)) for _ in range(5000)]
    slow = WordIndex.build(texts)
    fast = WordIndex(slow.postings, slow.vocabulary, slow.stemmer)
    fast.hasten()
    mask = rng.random(5000) < 0.1
    rows = np.sort(rng.choice(5000, 400, replace=False))
    for query in ("red boot", "acme acme sandal", "zzz", "", "women leather blue boots", "usbc"):
        for allowed in (None, mask):
            for k in (1, 200):
                for one, other in zip(
                    slow.best(query, k, allowed), fast.best(query, k, allowed), strict=True
                ):
                    assert one.dtype == other.dtype
                    assert one.tolist() == other.tolist()
            reached = [words.reaching(query, 0.5, allowed) for words in (slow, fast)]
            one, other = (dict(zip(*found, strict=True)) for found in reached)
            assert one == other
        assert slow.shares_of(query, rows).tolist() == fast.shares_of(query, rows).tolist()


def test_words_that_decide_nothing_are_not_gone_through():
    rest = np.array([10.0, 1.0, 0.0])
    assert word_kernels._needed(rest, 2, 0.5) == 2
    assert word_kernels._needed(rest, 2, 2.0) == 1
    assert word_kernels._needed(rest, 2, 11.0) == 0


@given(share=st.floats(2.0**-20, 1.0, width=32), part=st.floats(0, 1))
def test_only_what_is_half_way_to_the_next_share_is_a_larger_one(share: float, part: float):
    half = word_kernels._better(np.float32(share))
    assert np.float32(half * (1 - 2**-40)) == np.float32(share)
    more = share * (1 + 2**-22 * part)
    assert more >= half or np.float32(more) == np.float32(share)


def test_the_next_larger_share_is_found_in_a_later_window():
    share = np.float32(0.7)
    weights = np.array([share, share, np.nextafter(share, np.float32(1))], np.float32)
    rows = np.array([0, WINDOW, 2 * WINDOW], np.int32)
    postings = Postings(np.array([0, 3]), rows, weights, 2 * WINDOW + 1)
    found, shares = CompiledWords(postings).best((0,), 1.0, 1, None)
    assert found.tolist() == [2 * WINDOW]
    assert shares.tobytes() == weights[2:].tobytes()
