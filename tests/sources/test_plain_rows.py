"""Files in which nothing is odd: what is told of all rows at once is what each row alone tells."""

import random
from pathlib import Path

import pandas as pd
import pytest

from smar.sources import tables
from smar.sources.delimited import Dialect
from smar.sources.encodings import open_text
from smar.sources.plain_rows import plain_columns
from smar.sources.tables import Table, read_table

PIECES = ("a", "bc", "4,5", " ", "", "\u00e9", "x;y", "\t", '"', "\r", "\n", '="7"', "id", "\ufeff")


def by_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    with monkeypatch.context() as patched:
        patched.setattr(tables, "plain_columns", lambda *_: None)
        return read_table(path)


def same(one: Table, other: Table) -> bool:
    pd.testing.assert_frame_equal(one.frame, other.frame)
    left, right = (((*table.rows,), table.bad, table.notes) for table in (one, other))
    return left == right


@pytest.mark.parametrize("seed", range(150))
def test_any_file_is_read_as_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int):
    rng = random.Random(seed)
    separator = rng.choice(",;\t")
    odd = rng.random() < 0.5
    pieces = PIECES if odd else PIECES[:6]
    width = rng.randint(1, 4)
    header = ["id", "title", "price", "more"][:width]
    rows = [
        ["".join(rng.choices(pieces, k=rng.randint(0, 2))) for _ in range(width)]
        for _ in range(rng.randint(0, 6))
    ]
    lines = [separator.join(cells) for cells in [header, *rows]]
    path = tmp_path / rng.choice(["a.csv", "a.tsv", "a.txt"])
    mark = rng.choice(["", "\ufeff"])
    path.write_text(mark + "\n".join(lines) + rng.choice(["", "\n"]), newline="")
    assert same(read_table(path), by_rows(path, monkeypatch))


def test_file_without_anything_odd_is_read_at_once(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("\ufeffid,title\n1,A caf\u00e9\n2,\n")
    header, columns = plain_columns(open_text(path), Dialect(",")) or ([], [])
    assert header == ["id", "title"]
    assert [column.to_pylist() for column in columns] == [["1", "2"], ["A caf\u00e9", ""]]


@pytest.mark.parametrize(
    "content",
    [
        'id,title\n1,"A"\n', "id,title\r\n1,A\r\n", "id,title\n1\n", "id,title\n\n1,A\n",
        "id,title\n,\n", "id,\n1,A\n", "id,title\n id ,title\n", "id\n1\n", "", "id,title\n1,\0\n",
    ],
)  # fmt: skip
def test_odd_file_is_left_to_its_rows(tmp_path: Path, content: str):
    path = tmp_path / "a.csv"
    path.write_text(content, newline="")
    assert plain_columns(open_text(path), Dialect(",")) is None
