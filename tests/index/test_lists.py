"""Lists filled with what is known of items are those that Faiss fills, whatever was edited."""

import faiss
import numpy as np
import pytest

from smar.content_keys import KeyTable, keys_of_rows
from smar.index import lists as module
from smar.index.lists import Lists, trained

DIM = 16
FACTORIES = ["IVF16,PQ8x4fs,RFlat", "IVF16,PQ4x4fs,Refine(SQ8)", "IVF16,RaBitQ"]


def unit_rows(rng: np.random.Generator, rows: int) -> np.ndarray:
    found = rng.standard_normal((rows, DIM)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def by_faiss(empty: np.ndarray, vectors: np.ndarray) -> bytes:
    index = faiss.deserialize_index(empty)
    index.add(vectors)
    return as_bytes(index)


def as_bytes(index) -> bytes:
    return faiss.serialize_index(index).tobytes()


@pytest.mark.parametrize("factory", FACTORIES)
def test_lists_of_any_edits_are_those_that_faiss_fills(factory: str):
    rng = np.random.default_rng(3)
    vectors = unit_rows(rng, 700)  # lists of more than one block, and of parts of one
    empty = trained(factory, vectors)
    lists = Lists.of(empty, vectors)
    assert as_bytes(lists.filled(vectors)) == by_faiss(empty, vectors)
    for _ in range(3):
        kept = KeyTable(keys_of_rows(vectors))
        vectors = np.concatenate([vectors[rng.random(len(vectors)) > 0.1], unit_rows(rng, 5)])
        rng.shuffle(vectors)
        rows = kept.rows_of(keys_of_rows(vectors))
        assert (rows < 0).sum() == 5
        lists = lists.changed(vectors, rows)
        assert as_bytes(lists.filled(vectors)) == by_faiss(empty, vectors)


def test_lists_without_a_change_or_with_every_one_changed():
    rng = np.random.default_rng(4)
    vectors, others = unit_rows(rng, 90), unit_rows(rng, 40)
    empty = trained(FACTORIES[0], vectors)
    lists = Lists.of(empty, vectors)
    same = lists.changed(vectors, np.arange(90))
    assert as_bytes(same.filled(vectors)) == by_faiss(empty, vectors)
    other = lists.changed(others, np.full(40, -1))
    assert as_bytes(other.filled(others)) == by_faiss(empty, others)


def test_places_found_in_blocks_are_those_found_at_once(monkeypatch: pytest.MonkeyPatch):
    vectors = unit_rows(np.random.default_rng(5), 10_000)
    empty = trained(FACTORIES[0], vectors)
    whole = Lists.of(empty, vectors)
    monkeypatch.setattr(module, "_AT_ONCE", 4096)
    parts = Lists.of(empty, vectors)
    np.testing.assert_array_equal(parts.numbers, whole.numbers)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    assert as_bytes(parts.filled(vectors)) == by_faiss(empty, vectors)


def trained_on_all(vectors: np.ndarray) -> bytes:
    """Return what Faiss makes of the factory string where every item trains it."""
    index = faiss.index_factory(vectors.shape[1], FACTORIES[0], faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    return as_bytes(index)


def test_lists_are_trained_on_a_sample_of_many_items():
    vectors = unit_rows(np.random.default_rng(6), 2000)
    found = trained(FACTORIES[0], vectors)
    assert found.tobytes() == trained(FACTORIES[0], vectors).tobytes()
    few = unit_rows(np.random.default_rng(6), 16 * module._PER_LIST)
    assert trained(FACTORIES[0], few).tobytes() == trained_on_all(few)
    assert found.tobytes() != trained_on_all(vectors)
