"""Judgements in every form, and rows that are left out."""

from pathlib import Path

import pandas as pd
import pytest

from smar.errors import DataError
from smar.params import JudgementParams
from smar.sources.judgements import Judgements, read_judgements
from smar.sources.quarantine import Quarantine

ITEMS = {"a", "b", "7"}


def read(folder: Path, kind: str, **columns: str) -> tuple[Judgements, Quarantine]:
    quarantine = Quarantine()
    params = JudgementParams(kind=kind, queries="queries", labels="labels", columns=columns)
    if kind in {"table", "esci"}:
        params = params.model_copy(update={"queries": "queries.csv", "labels": "labels.csv"})
    return read_judgements(folder, params, ITEMS, quarantine), quarantine


def test_trec_files(tmp_path: Path):
    (tmp_path / "queries").write_text('t1\t Red  "Boot\nt2\tbag\n')
    (tmp_path / "labels").write_text("t1 0 a 2\nt1 0 b 0\nt2\t0\t7\t1\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert judgements.queries["query"].tolist() == ['red "boot', "bag"]
    assert judgements.labels["grade"].tolist() == [2, 0, 1]
    assert quarantine.frame().empty


def test_esci_labels_become_grades(tmp_path: Path):
    pd.DataFrame(
        {
            "query_id": [1, 1, 1, 2],
            "query": ["boot", "boot", "boot", "bag"],
            "product_id": ["a", "b", "7", "a"],
            "esci_label": ["E", "S", "I", "Complement"],
        }
    ).to_csv(tmp_path / "labels.csv", index=False)
    judgements, _ = read(tmp_path, "esci")
    assert judgements.labels["grade"].tolist() == [3, 2, 0, 1]
    assert judgements.queries["query"].tolist() == ["boot", "bag"]


def test_plain_table_with_mapped_columns(tmp_path: Path):
    (tmp_path / "queries.csv").write_text("query_id,query\n0,boot\n")
    (tmp_path / "labels.csv").write_text("query_id,item_id,rating\n0,a,3\n")
    judgements, _ = read(tmp_path, "table", grade="rating")
    assert judgements.labels.to_dict("records") == [{"query_id": "0", "item_id": "a", "grade": 3}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("t9 0 a 2", "query is unknown"),
        ("t1 0 z 2", "item is unknown"),
        ("t1 0 b good", "grade is not a whole number >= 0"),
        ("t1 0 b -1", "grade is not a whole number >= 0"),
        ("t1 0 a 1", "pair is judged twice"),
    ],
)
def test_bad_label_is_left_out_with_its_reason(tmp_path: Path, line: str, reason: str):
    (tmp_path / "queries").write_text("t1\tboot\n")
    (tmp_path / "labels").write_text(f"t1 0 a 2\n{line}\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert len(judgements.labels) == 1
    assert quarantine.frame()["reason"].tolist() == [reason]


def test_wrong_number_of_columns_is_refused(tmp_path: Path):
    (tmp_path / "queries").write_text("t1\tboot\n")
    (tmp_path / "labels").write_text("t1 a 2\n")
    with pytest.raises(DataError, match="3 columns, expected 4"):
        read(tmp_path, "trec")


def test_missing_and_empty_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no judgements there"):
        read(tmp_path, "trec")
    (tmp_path / "queries").touch()
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path, "trec")


def test_no_judgements_are_empty_tables(tmp_path: Path):
    judgements, _ = read(tmp_path, "none")
    assert judgements.queries.empty
    assert judgements.labels.empty
