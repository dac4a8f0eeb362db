"""Judgements in every form, and rows that are left out."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smar.errors import DataError
from smar.params import JudgementParams
from smar.sources.judgements import Judgements, read_judgements
from smar.sources.quarantine import Quarantine

ITEMS = {"a", "b", "7"}


def read(folder: Path, kind: str, *names: str, **settings: Any) -> tuple[Judgements, Quarantine]:
    """Return what is read of queries and labels, or of the files named, the last for labels."""
    quarantine = Quarantine()
    usual = ["queries", "labels"] if kind == "trec" else ["queries.csv", "labels.csv"]
    queries, labels = ([names[0], names[-1]]) if names else usual
    params = JudgementParams(
        **{"kind": kind, "queries": queries, "labels": labels, "columns": {}, **settings}
    )
    return read_judgements(folder, params, ITEMS, quarantine), quarantine


def rows(judgements: Judgements) -> list[list[Any]]:
    return judgements.labels.to_numpy().tolist()


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
    judgements, _ = read(tmp_path, "table", columns={"grade": "rating"})
    assert judgements.labels.to_dict("records") == [{"query_id": "0", "item_id": "a", "grade": 3}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("t9 0 a 2", "query is unknown"),
        ("t1 0 z 2", "item is unknown"),
        ("t1 0 b good", "grade is not a number (map it in ingest.judgements.grades)"),
        ("t1 0 b -1", "grade is below 0 (map it in ingest.judgements.grades)"),
        ("t1 b", "line has fewer fields than a qrel (query item grade)"),
        ("t1 0 a 1", "pair is judged twice"),
    ],
)
def test_bad_label_is_left_out_with_its_reason(tmp_path: Path, line: str, reason: str):
    (tmp_path / "queries").write_text("t1\tboot\n")
    (tmp_path / "labels").write_text(f"t1 0 a 2\n{line}\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert len(judgements.labels) == 1
    assert quarantine.frame()["reason"].tolist() == [reason]


def test_qrels_of_three_fields_with_a_header_and_of_ids_with_blanks(tmp_path: Path):
    """As BEIR writes them; blanks in an item's id are told from the fields around it."""
    (tmp_path / "queries").write_text("_id\ttext\nt1\tboot\n")
    (tmp_path / "labels").write_text("query-id\tcorpus-id\tscore\nt1\ta\t1\nt1\tb\t0\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert rows(judgements) == [["t1", "a", 1], ["t1", "b", 0]]
    (tmp_path / "labels").write_text("t1 0 a big 1\r\n\nt1\tQ0\ta\t2\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert rows(judgements) == [["t1", "a", 2]]
    assert quarantine.frame()["value"].tolist() == ["a big"]


def test_beir_queries_are_json_lines(tmp_path: Path):
    (tmp_path / "q.jsonl").write_text('{"_id": "1", "text": "Red boot", "metadata": {}}\n')
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\ta\t2\n")
    judgements, _ = read(tmp_path, "beir", "q.jsonl", "test.tsv")
    assert judgements.queries.to_numpy().tolist() == [["1", "red boot"]]
    assert rows(judgements) == [["1", "a", 2]]


def test_esci_of_one_split_and_locale(tmp_path: Path):
    pd.DataFrame(
        {
            "query_id": [1, 1, 2, 3],
            "query": ["boot", "boot", "bota", "bag"],
            "product_id": ["a", "zz", "a", "b"],
            "product_locale": ["us", "us", "es", "us"],
            "esci_label": ["E", "E", "S", "C"],
            "split": ["test", "test", "test", "train"],
        }
    ).to_parquet(tmp_path / "examples.parquet")
    judgements, quarantine = read(tmp_path, "esci", "examples.parquet", split="test", locale="us")
    assert rows(judgements) == [["1", "a", 3]]
    assert quarantine.counts() == {"judgements: item is unknown": 1}
    with pytest.raises(DataError, match="no row with split 'dev', only test, train"):
        read(tmp_path, "esci", "examples.parquet", split="dev")


def test_wands_tables_part_fields_by_tabs_whatever_their_name(tmp_path: Path):
    (tmp_path / "query.csv").write_text("query_id\tquery\tquery_class\n0\tsalon chair\tChairs\n")
    (tmp_path / "label.csv").write_text(
        "id\tquery_id\tproduct_id\tlabel\n0\t0\t7\tExact\n1\t0\ta\tPartial\n2\t0\tb\tIrrelevant\n"
    )
    judgements, _ = read(tmp_path, "wands", "query.csv", "label.csv")
    assert rows(judgements) == [["0", "7", 3], ["0", "a", 1], ["0", "b", 0]]


def test_home_depot_relevance_is_a_scale_from_one_to_three(tmp_path: Path):
    (tmp_path / "train.csv").write_bytes(
        "id,product_uid,product_title,search_term,relevance\n"
        "2,a,Caf\xe9,angle bracket,3\n3,b,B,angle bracket,2.33\n4,7,C,l bracket,1\n".encode(
            "cp1252"
        )
    )
    judgements, _ = read(tmp_path, "home_depot", "train.csv")
    assert rows(judgements) == [
        ["angle_bracket", "a", 3], ["angle_bracket", "b", 2], ["l_bracket", "7", 0]
    ]  # fmt: skip
    assert judgements.notes == [
        "grades on a scale from 1 to 3: 1 is 0 (1), 2.33 is 2 (1) "
        "(see ingest.judgements.scale and grades)"
    ]


def test_quepid_has_texts_for_ids(tmp_path: Path):
    (tmp_path / "case.csv").write_text("query,docid,rating\nred boot,a,3\nred boot,b,0\n")
    expected = [["red_boot", "a", 3], ["red_boot", "b", 0]]
    judgements, _ = read(tmp_path, "quepid", "case.csv")
    assert rows(judgements) == expected
    columns = {"query_id": "query"}
    judgements, quarantine = read(tmp_path, "table", "case.csv", columns=columns)
    assert rows(judgements) == expected
    assert quarantine.frame().empty


def test_opensearch_judgement_lists(tmp_path: Path):
    ratings = [{"docId": "a", "rating": "3.000"}, {"docId": "b", "rating": "0.000"}, None]
    source = {"type": "LLM", "judgmentRatings": [{"query": "Red boot", "ratings": ratings}]}
    (tmp_path / "list.json").write_text(json.dumps({"hits": {"hits": [{"_source": source}]}}))
    judgements, quarantine = read(tmp_path, "opensearch", "list.json")
    assert rows(judgements) == [["Red_boot", "a", 3], ["Red_boot", "b", 0]]
    assert quarantine.counts() == {"judgements: rating is not a JSON object": 1}
    (tmp_path / "list.json").write_text("{}")
    with pytest.raises(DataError, match="no judgmentRatings"):
        read(tmp_path, "opensearch", "list.json")


def test_pair_judged_again_with_the_same_grade_is_no_bad_row(tmp_path: Path):
    (tmp_path / "queries").write_text("t1\tRed boot\nt1\tred BOOT\nt2\tred boot\nt2\tbag\n")
    (tmp_path / "labels").write_text("t1 0 a 2\nt1 0 a 2\n")
    judgements, quarantine = read(tmp_path, "trec")
    assert judgements.queries["query_id"].tolist() == ["t1", "t2"]
    assert quarantine.counts() == {"judged queries: query id is repeated with another text": 1}
    assert judgements.notes == [
        "1 queries have the text of another one; each is judged for itself",
        "1 pairs are judged again with the same grade",
    ]


def test_unknown_items_do_not_count_as_bad(tmp_path: Path):
    (tmp_path / "queries").write_text("t1\tboot\n")
    (tmp_path / "labels").write_text("t1 0 a 2\nt1 0 y 1\nt1 0 z 1\n")
    _, quarantine = read(tmp_path, "trec")
    quarantine.check(0.05, 0.95, {})
    (tmp_path / "labels").write_text("t1 0 y 1\nt1 0 z 1\n")
    _, quarantine = read(tmp_path, "trec")
    with pytest.raises(DataError, match="2 x item is unknown"):  # nothing would be left
        quarantine.check(0.05, 0.95, {})


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


def test_pairs_without_a_grade_were_not_judged_and_are_not_bad(tmp_path: Path):
    (tmp_path / "labels.csv").write_text(
        "Query Text,Doc ID,Title,Rating\nboot,a,A,3\nboot,b,B,\nboot,7,C,  \n"
    )
    judgements, quarantine = read(tmp_path, "quepid")
    assert rows(judgements) == [["boot", "a", 3]]
    assert quarantine.frame().empty
    assert "2 pairs have no grade: they were not judged" in judgements.notes
