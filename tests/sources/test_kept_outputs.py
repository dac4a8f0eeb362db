"""Tables that a run wrote: linked to their places, checked, and forgotten when others come."""

import logging
import os
from pathlib import Path

import pyarrow as pa
import pytest

from smar.data import schema
from smar.sources import kept_outputs
from smar.sources.kept_outputs import KeptOutputs, Output

KEY, OTHER = "a" * 32, "b" * 32
TABLE = pa.table({"n": pa.chunked_array([[1], [2, 3]]), "t": ["x", "", "z"]})


def test_kept_table_is_linked_and_is_what_was_written(tmp_path: Path):
    place, again = tmp_path / "out" / "n.parquet", tmp_path / "out" / "m.parquet"
    made = KeptOutputs(tmp_path / "kept").keep("n", KEY, TABLE)
    made.write(place)
    found = KeptOutputs(tmp_path / "kept").find("n", KEY)
    assert found is not None
    found.write(again)
    assert place.samefile(again)
    for output in (made, found, Output(TABLE)):
        assert output.table.equals(TABLE)
        assert output.column("t").to_pylist() == ["x", "", "z"]
        assert len(output) == 3
    Output(TABLE.combine_chunks()).write(tmp_path / "plain.parquet")  # pieces do not count
    assert (tmp_path / "plain.parquet").read_bytes() == place.read_bytes()


def test_nothing_is_found_under_another_key_or_name(tmp_path: Path):
    KeptOutputs(tmp_path).keep("n", KEY, TABLE)
    kept = KeptOutputs(tmp_path)
    assert [kept.find("n", OTHER), kept.find("m", KEY), kept.find("n", "")] == [None] * 3
    assert KeptOutputs().find("n", KEY) is None


def test_what_nothing_stands_for_is_not_kept(tmp_path: Path):
    for kept, key in ((KeptOutputs(tmp_path), ""), (KeptOutputs(), KEY)):
        assert kept.keep("n", key, TABLE).table.equals(TABLE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"PAR1", None], ids=["empty", "cut", "a byte"])
def test_damaged_table_is_not_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes | None
):
    KeptOutputs(tmp_path).keep("n", KEY, TABLE)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:40] + b"?" + whole[41:] if damage is None else damage)
    assert KeptOutputs(tmp_path).find("n", KEY) is None
    assert "is damaged" in caplog.text
    KeptOutputs(tmp_path).keep("n", KEY, TABLE)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole]


def test_only_the_last_table_of_each_name_stays(tmp_path: Path):
    kept = KeptOutputs(tmp_path)
    kept.keep("n", KEY, TABLE)
    kept.keep("m", KEY, TABLE)
    (tmp_path / ".n.parquet.tmp-1").write_bytes(b"of a run that was killed")
    kept = KeptOutputs(tmp_path)
    assert kept.find("n", KEY) is not None  # gone on with
    kept.keep("n", OTHER, TABLE.slice(1))
    kept.forget_others()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith(f"n-{OTHER}-")


def test_file_system_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = KeptOutputs(tmp_path / "kept").keep("n", KEY, TABLE)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    made.write(tmp_path / "n.parquet")
    assert schema.read_arrow(tmp_path / "n.parquet").equals(TABLE)
    (file,) = (tmp_path / "kept").iterdir()
    assert not file.samefile(tmp_path / "n.parquet")


def test_disk_without_room_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def full(path: Path, table: pa.Table) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_outputs.schema, "write_arrow", full)
    made = KeptOutputs(tmp_path).keep("n", KEY, TABLE)
    assert made.table.equals(TABLE)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_another_run_beside_this_one_does_not_change_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    digest, other = kept_outputs.digest, TABLE.slice(2)

    def beside(path: Path) -> str:
        monkeypatch.setattr(kept_outputs, "digest", digest)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        KeptOutputs(tmp_path).keep("n", OTHER, other)
        return digest(path)

    monkeypatch.setattr(kept_outputs, "digest", beside)
    assert KeptOutputs(tmp_path).keep("n", KEY, TABLE).table.equals(TABLE)
    for key, table in ((KEY, TABLE), (OTHER, other)):
        found = KeptOutputs(tmp_path).find("n", key)
        assert found is not None
        assert found.table.equals(table)


def test_run_whose_file_another_one_removed_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    digest = kept_outputs.digest

    def removed(path: Path) -> str:
        path.unlink()
        return digest(path)

    monkeypatch.setattr(kept_outputs, "digest", removed)
    assert KeptOutputs(tmp_path).keep("n", KEY, TABLE).table.equals(TABLE)
    assert not list(tmp_path.iterdir())
