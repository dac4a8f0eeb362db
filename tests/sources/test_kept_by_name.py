"""Tables kept by name."""

import os
import random
from pathlib import Path

import pyarrow as pa
import pytest

from smar.sources import kept_by_name
from smar.sources.kept_by_name import KeptByName

ONE, OTHER = pa.table({"n": [1]}), pa.table({"n": [2]})


def test_a_name_forgets_what_other_code_kept_and_halves_but_no_longer_name(tmp_path: Path):
    before, now = KeptByName(tmp_path, "a" * 16), KeptByName(tmp_path, "b" * 16)
    for name in ("rows", "rows-left"):
        before.write(name, ONE, {"of": name})
    halves = [tmp_path / f".{name}-{'a' * 16}.arrow.tmp-1" for name in ("rows", "rows-left")]
    for half in halves:
        half.write_bytes(b"?")
    now.write("rows", OTHER, {"of": "now"})
    assert {file.name for file in tmp_path.iterdir()} == {
        f"rows-{'b' * 16}.arrow",
        f"rows-left-{'a' * 16}.arrow",
        halves[1].name,
    }
    found = KeptByName(tmp_path, "b" * 16).read("rows")
    assert found is not None
    assert (found.tables[0], found.facts) == (OTHER, {"of": "now"})
    assert before.read("rows") is None


def test_a_run_reads_what_was_kept_before_it(tmp_path: Path):
    KeptByName(tmp_path, "a").write("rows", ONE, {})
    kept = KeptByName(tmp_path, "a")
    found = kept.read("rows")
    kept.write("rows", OTHER, {})
    assert kept.read("rows") is found


def test_nothing_is_kept_without_a_folder():
    kept = KeptByName(None, "")
    kept.write("rows", ONE, {})
    assert kept.read("rows") is None


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are compared four at a time."""
    monkeypatch.setattr(kept_by_name, "_BLOCK", 4)


def numbers(*rows: int) -> pa.Table:
    return pa.table({"n": pa.array(rows, pa.int64()), "text": [str(row) for row in rows]})


def kept_again(folder: Path, table: pa.Table) -> dict[str, int]:
    """Keep a table as a run does that reads first; return the inode of each file."""
    kept = KeptByName(folder, "k")
    kept.read("rows")
    kept.write("rows", table, {"told": len(table)})
    found = KeptByName(folder, "k").read("rows")
    assert found is not None
    assert found.tables[0].equals(table)
    assert found.facts == {"told": len(table)}
    return {file.name: file.stat().st_ino for file in folder.iterdir()}


@pytest.mark.usefixtures("blocks")
def test_table_that_grew_keeps_the_file_of_before_as_its_head(tmp_path: Path):
    first = kept_again(tmp_path, numbers(*range(40)))
    for size in (41, 45, 50):
        files = kept_again(tmp_path, numbers(*range(size)))
        (head,) = set(files) - set(first)
        assert files[head] == first["rows-k.arrow"]
    assert kept_again(tmp_path, numbers(*range(80))).keys() == {"rows-k.arrow"}  # half stands


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(("changed", "files"), [(0, 1), (35, 1), (36, 2), (39, 2), (44, 2)])
def test_table_is_written_from_the_block_that_changed(tmp_path: Path, changed: int, files: int):
    kept_again(tmp_path, numbers(*range(40)))
    kept_again(tmp_path, numbers(*range(45)))
    rows = [*range(45)]
    rows[changed] = -1
    assert len(kept_again(tmp_path, numbers(*rows))) == files


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("seed", range(5))
def test_tables_that_grow_shrink_and_change_are_read_as_they_were_kept(tmp_path: Path, seed: int):
    rng, rows = random.Random(seed), [*range(40)]
    for _ in range(20):
        rows = rows[: rng.randint(30, 60)] + [rng.randrange(9) for _ in range(rng.randint(0, 9))]
        if rng.random() < 0.3:
            rows[rng.randrange(len(rows))] = -1
        kept_again(tmp_path, numbers(*rows))


@pytest.mark.usefixtures("blocks")
def test_table_of_other_columns_is_written_whole(tmp_path: Path):
    kept_again(tmp_path, numbers(*range(40)))
    assert len(kept_again(tmp_path, numbers(*range(45)).rename_columns(["n", "other"]))) == 1


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("damage", ["gone", "cut", "a bit", "another table"])
def test_head_that_is_damaged_is_not_used(tmp_path: Path, damage: str):
    kept_again(tmp_path, numbers(*range(40)))
    kept_again(tmp_path, numbers(*range(45)))
    (head,) = tmp_path.glob("rows-k-*.arrow")
    content = bytearray(head.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "another table":
        kept_again(tmp_path / "other", numbers(*range(1, 41)))
        content = bytearray((tmp_path / "other" / "rows-k.arrow").read_bytes())
    head.unlink()
    if damage != "gone":
        head.write_bytes(content[:-1] if damage == "cut" else content)
    assert KeptByName(tmp_path, "k").read("rows") is None


@pytest.mark.usefixtures("blocks")
def test_file_that_another_run_wrote_meanwhile_is_no_head(tmp_path: Path):
    kept_again(tmp_path, numbers(*range(40)))
    kept = KeptByName(tmp_path, "k")
    kept.read("rows")
    kept_again(tmp_path, numbers(*range(100, 140)))
    kept.write("rows", numbers(*range(45)), {})
    found = KeptByName(tmp_path, "k").read("rows")
    assert found is not None
    assert found.tables[0].equals(numbers(*range(45)))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.usefixtures("blocks")
def test_table_is_written_whole_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refused)
    kept_again(tmp_path, numbers(*range(40)))
    assert len(kept_again(tmp_path, numbers(*range(45)))) == 1
