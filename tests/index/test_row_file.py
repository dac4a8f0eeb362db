"""The file that is written past Faiss is, byte for byte, the one that Faiss writes."""

import os
from hashlib import sha256
from pathlib import Path

import faiss
import numpy as np
import pytest

from smar.index import row_file
from smar.index.item_rows import ItemRows
from smar.index.lists import Lists, trained
from smar.index.settings import apply

D, SETTINGS = 8, {"nprobe": 5, "refined": 800}


def made(rows: int, factory: str = "IVF16,PQ8x4fs,RFlat") -> tuple[Lists, ItemRows]:
    drawn = np.random.default_rng(rows).standard_normal((2, rows, D)).astype(np.float32)
    parts = drawn / np.linalg.norm(drawn, axis=2, keepdims=True)
    whole = np.concatenate(list(parts), axis=1)
    return Lists.of(trained(factory, whole), whole), ItemRows(*parts)


def by_faiss(lists: Lists, rows: ItemRows, target: Path) -> bytes:
    index = lists.filled(rows[0 : len(rows)])
    apply(index, SETTINGS)
    faiss.write_index(index, str(target))
    return target.read_bytes()


@pytest.mark.parametrize("size", [40, 1300])
def test_bytes_are_those_of_faiss_and_the_index_is_the_same(tmp_path: Path, size: int):
    lists, rows = made(size)
    expected = by_faiss(lists, rows, tmp_path / "faiss")
    file = row_file.written(lists, rows, SETTINGS, tmp_path / "work")
    facts = file.put(tmp_path / "index.faiss")
    assert (tmp_path / "index.faiss").read_bytes() == expected
    assert facts == {"bytes": len(expected), "sha256": sha256(expected).hexdigest()}
    assert file.settings == SETTINGS
    index = faiss.read_index(str(tmp_path / "faiss"))
    for found, right in zip(file.index().search(rows[0:9], 5), index.search(rows[0:9], 5),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(found, right)


def test_nothing_is_left_of_a_file_that_was_not_put(tmp_path: Path):
    lists, rows = made(40)
    file = row_file.written(lists, rows, SETTINGS, tmp_path)
    assert list(tmp_path.iterdir()) == []
    descriptor = file.descriptor
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_file_that_cannot_be_linked_is_left_to_others(tmp_path: Path):
    lists, rows = made(40)
    file = row_file.written(lists, rows, SETTINGS, tmp_path)
    assert file.put(Path("/proc/index.faiss")) is None


@pytest.mark.parametrize("factory", ["IVF16,PQ8x4fs,Refine(SQ8)", "IVF16,RaBitQ"])
def test_other_kinds_are_left_to_faiss(tmp_path: Path, factory: str):
    lists, rows = made(90, factory)
    assert row_file.written(lists, rows, {"nprobe": 5}, tmp_path) is None


def test_another_form_of_faiss_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    lists, rows = made(40)
    monkeypatch.setattr(row_file, "_ROWS_AT", 12)
    assert row_file.written(lists, rows, SETTINGS, tmp_path) is None
    assert "in another form" in caplog.text


def test_system_without_files_without_a_name_leaves_it_to_faiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lists, rows = made(40)
    monkeypatch.delattr(os, "O_TMPFILE")
    assert row_file.written(lists, rows, SETTINGS, tmp_path) is None


def test_a_file_that_fits_into_memory_is_asked_for_whole_and_a_larger_one_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, start, size, __: asked.append((start, start + size))
    )
    monkeypatch.setattr(row_file, "_STEP", 7)
    (tmp_path / "file").write_bytes(bytes(50))
    with (tmp_path / "file").open("rb") as file:
        row_file.ask_for(file.fileno())
        assert asked == [(start, start + 7) for start in range(0, 50, 7)]
        asked.clear()
        monkeypatch.setattr(row_file, "_memory", lambda: 199)
        row_file.ask_for(file.fileno())
    assert asked == []


def test_a_file_system_that_cannot_be_asked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    (tmp_path / "file").write_bytes(bytes(50))
    with (tmp_path / "file").open("rb") as file:
        row_file.ask_for(file.fileno())
