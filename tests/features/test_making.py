"""Features are computed once a content, and a run that was stopped goes on."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smar.errors import DataError
from smar.features import making
from smar.features.making import Made, Wanted, make_rows
from smar.features.store import FeatureRows

WIDTH = 6


def row_of(key: str) -> NDArray[np.float16]:
    return np.frombuffer(sha256(key.encode()).digest()[:WIDTH], np.uint8).astype(np.float16)


class StoppedError(Exception):
    """What kill -9 is in here."""


class Backbone:
    """Makes rows of keys and remembers of which; stops after some."""

    def __init__(self, shift: float = 0.0, most: int = 10**9) -> None:
        self.seen, self.shift, self.most = list[str](), shift, most

    def of(self, keys: list[str]) -> Wanted:
        def compute(positions: NDArray[np.int64]) -> NDArray[np.float16]:
            if len(self.seen) + len(positions) > self.most:
                raise StoppedError
            self.seen += [keys[row] for row in positions]
            rows = np.stack([row_of(keys[row]) for row in positions])
            return (rows + self.shift).astype(np.float16)

        return Wanted("texts", keys, WIDTH, 3, compute)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_SHARD_BYTES", 2 * WIDTH * 5)
    monkeypatch.setattr(making, "_PROBES", 1)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Made, FeatureRows]]:
    """Make rows beside those of the run before, in a folder of their own."""
    before = list[FeatureRows]()

    def make(backbone: Backbone, keys: list[str]) -> tuple[Made, FeatureRows]:
        target = tmp_path / f"run{len(before)}"
        target.mkdir(exist_ok=True)
        earlier = before[-1] if before else None
        found = make_rows(target, tmp_path / "work", backbone.of(keys), earlier)
        before.append(FeatureRows.open(target))
        for file in (tmp_path / "work").iterdir():  # as the stage does once all is in place
            file.unlink()
        return found, before[-1]

    return make


def check(rows: FeatureRows, keys: list[str], shift: float = 0.0) -> None:
    found = rows.read(rows.places(keys))
    assert np.array_equal(found, np.stack([row_of(key) for key in keys]) + np.float16(shift))


def keys_of(first: int, last: int) -> list[str]:
    return [f"key {number}" for number in range(first, last)]


def test_only_new_contents_are_computed(made: Callable[..., tuple[Made, FeatureRows]]):
    made(Backbone(), keys_of(0, 23))
    grown = Backbone()
    found, rows = made(grown, keys_of(3, 30)[::-1])
    assert (found.rows, found.computed) == (27, 7)
    assert sorted(grown.seen[1:]) == sorted(keys_of(23, 30)), "and one row as a probe"
    check(rows, keys_of(3, 30))
    assert rows.places(["key 0"])[0] == -1, "what is gone is left out"


def test_shards_that_few_rows_use_are_packed_together(
    made: Callable[..., tuple[Made, FeatureRows]],
):
    made(Backbone(), keys_of(0, 20))
    few = [f"key {number}" for number in (0, 5, 10, 15)]
    found, rows = made(Backbone(), few)
    assert found.computed == 0
    assert len(rows.shards) == 1
    assert sum(len(shard) for shard in rows.shards.values()) == 4
    check(rows, few)


def test_a_stopped_run_goes_on(tmp_path: Path):
    target, work, keys = tmp_path / "target", tmp_path / "work", keys_of(0, 20)
    target.mkdir()
    with pytest.raises(StoppedError):
        make_rows(target, work, Backbone(most=12).of(keys), None)
    assert not list(target.iterdir())
    rest = Backbone()
    found = make_rows(target, work, rest.of(keys), None)
    assert (found.computed, found.resumed) == (10, 10)
    assert set(rest.seen[1:]) == set(keys[10:])
    check(FeatureRows.open(target), keys)


def test_half_a_shard_left_by_a_killed_run_does_not_count(tmp_path: Path):
    target, work = tmp_path / "target", tmp_path / "work"
    target.mkdir()
    work.mkdir()
    (work / ".shard-aa.npy.tmp-1").write_bytes(b"half")
    (work / "shard-aa.parquet").write_bytes(b"keys without rows")
    keys = keys_of(0, 4)
    assert make_rows(target, work, Backbone().of(keys), None).computed == 4
    check(FeatureRows.open(target), keys)


def test_rows_that_the_code_makes_otherwise_today_are_made_anew(
    made: Callable[..., tuple[Made, FeatureRows]], caplog: pytest.LogCaptureFixture
):
    made(Backbone(), keys_of(0, 8))
    found, rows = made(Backbone(shift=50.0), keys_of(0, 8))
    assert found.computed == 8
    assert "other texts than before" in caplog.text
    check(rows, keys_of(0, 8), 50.0)


def test_a_log_is_told_ten_times_how_far_it_is(
    made: Callable[..., tuple[Made, FeatureRows]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(making, "_SHARD_BYTES", 1)  # a row a shard
    caplog.set_level("INFO", making.logger.name)
    made(Backbone(), keys_of(0, 25))
    told = [one.getMessage() for one in caplog.records if "features of texts" in one.getMessage()]
    assert len(told) == 10
    assert told[-1] == "features of texts: 25 of 25"
    assert told[0] == "features of texts: 3 of 25"


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"3 of 3 texts came out .* not finite"):
        make_rows(tmp_path, tmp_path / "work", Backbone(shift=np.nan).of(keys_of(0, 4)), None)
