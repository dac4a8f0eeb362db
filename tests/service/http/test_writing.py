"""Events and grades: kept before they are acknowledged, and read by ingest."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from smar.params import JudgementParams, LogParams
from smar.service.grades import Grade, Grades, read_grades
from smar.sources.judgement_files import read_files
from smar.sources.quarantine import Quarantine
from smar.sources.search_log import read_log

Serve = Callable[..., TestClient]


def click(answer: dict[str, Any], place: int, **changes: Any) -> dict[str, Any]:
    """Return a click on a hit, as a page sends it."""
    return {
        "application": "shop",
        "action_name": "click",
        "query_id": answer["query_id"],
        "client_id": "c1",
        "event_attributes": {
            "object": {"object_id": answer["hits"][place - 1]["item_id"]},
            "position": {"ordinal": place},
        },
    } | changes


def logged(root: Path) -> list[dict[str, Any]]:
    """Return the records of the closed files of the log."""
    files = sorted((root / ".smar/ubi").glob("*.ndjson"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_what_was_searched_and_clicked_is_read_by_ingest(serve: Serve, small_project: Path):
    client = serve()
    answer = client.get("/search?q=Red++Lamp&limit=4&client_id=c1").json()
    second = client.post("/search", json={"query": "bag", "page": 2, "per_page": 2}).json()
    client.get("/search?q=typing&track=false")
    client.get("/search?limit=2")
    algolia = {"requests": [{"query": "boots", "hitsPerPage": 2, "userToken": "u1"}]}
    client.post("/1/indexes/x/queries", json=algolia)
    assert client.post("/ubi_events", json=[click(answer, 3)]).json() == {"kept": 1}
    assert client.post("/ubi_events", json=click(second, 1)).json() == {"kept": 1}
    assert client.post("/log/close", json={}).json()["file"]
    item_ids = {hit["item_id"] for hit in answer["hits"] + second["hits"]}
    quarantine = Quarantine()
    log = read_log(
        small_project / ".smar", LogParams(queries="ubi", events="ubi"), item_ids, quarantine
    )
    assert quarantine.frame().empty
    assert log.searches["query"].tolist() == ["red lamp", "bag", "boots"]
    assert log.searches["client_id"].tolist() == ["c1", "", "u1"]
    shown = [[hit["item_id"] for hit in each["hits"]] for each in (answer, second)]
    assert [list(each) for each in log.searches["shown"][:2]] == shown
    assert log.engagements["position"].tolist() == [3, 1]
    record = logged(small_project)[1]
    assert record["query_attributes"]["release"] == "v1"
    assert record["query_attributes"]["offset"] == 2
    assert set(record["query_attributes"]["shares"]) == {"text", "picture", "words"}


def test_bad_records_are_refused_together(client: TestClient):
    response = client.post("/ubi_queries", json=[{"user_query": "a"}, {"query_id": 1}])
    assert response.status_code == 422
    fields = [each["field"] for each in response.json()["problems"]]
    assert fields == ["/0/query_id", "/1/user_query", "/1/query_id"]


@contextmanager
def no_large_files() -> Iterator[None]:
    """Have the operating system refuse every file that holds something."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_refuses_events_and_searches_are_answered(serve: Serve, small_project: Path):
    client = serve()
    answer = client.get("/search?q=lamp&limit=2").json()
    assert client.post("/ubi_events", json=click(answer, 1)).is_success
    with no_large_files():
        refused = client.post("/ubi_events", json=click(answer, 2))
        assert client.get("/search?q=bag&limit=2").is_success
    assert refused.status_code == 507
    assert "Nothing of the request was kept" in refused.json()["detail"]
    assert b"smar_log_refused_total 1.0" in client.get("/metrics").content
    assert client.post("/ubi_events", json=click(answer, 2)).is_success
    client.post("/log/close", json={})
    kinds = [record.get("action_name", "search") for record in logged(small_project)]
    assert kinds == ["search", "click", "click"]


def test_disk_that_fills_is_told_by_readyz(serve: Serve):
    client = serve(log_free_mb=1e9)
    assert client.post("/ubi_events", json=[{"action_name": "click"}]).status_code == 507
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert "searches are not logged" in ready.json()["warnings"][0]
    assert serve(log=False).post("/ubi_events", json=[{"action_name": "a"}]).status_code == 503


def test_grades_are_judgements_that_ingest_reads(serve: Serve, small_project: Path):
    client = serve()
    hits = client.get("/search?q=Teal+lamp&limit=3").json()["hits"]
    ids = [hit["item_id"] for hit in hits]
    for item_id, grade in zip(ids, (3, 1, 2), strict=True):
        given = {"query": " Teal  lamp", "item_id": item_id, "grade": grade}
        assert client.post("/judgements", json=given).is_success
    client.post("/judgements", json=[{"query": "teal lamp", "item_id": ids[1], "grade": 0}])
    client.post("/judgements", json=[{"query": "teal lamp", "item_id": ids[2], "grade": None}])
    told = client.get("/judgements?q=TEAL+lamp").json()["judgements"]
    assert {each["item_id"]: each["grade"] for each in told} == {ids[0]: 3, ids[1]: 0}
    assert not (small_project / "data/raw/judged/judgements.csv").exists()
    assert client.post("/judgements/hand_over", json={}).json()["kept"] == 2
    file = "judged/judgements.csv"
    params = JudgementParams(kind="table", queries=file, labels=file)
    quarantine = Quarantine()
    raw = read_files(small_project / "data/raw", params, quarantine)
    assert quarantine.frame().empty
    assert {query for _, _, query in raw.queries} == {"teal lamp"}
    assert [(item, grade) for _, _, item, grade in raw.labels] == [(ids[0], "3"), (ids[1], "0")]


def test_bad_grades_are_refused(client: TestClient):
    response = client.post("/judgements", json=[{"query": "", "item_id": 5, "grade": 9, "x": 1}])
    assert {each["field"] for each in response.json()["problems"]} == {
        "0.x", "0.query", "0.item_id", "0.grade",
    }  # fmt: skip
    unknown = {"query": "lamp", "item_id": "nothing", "grade": 1}
    assert (
        "there is no item"
        in client.post("/judgements", json=unknown).json()["problems"][0]["detail"]
    )


@pytest.mark.parametrize("text", ['a,"b"', "a\nb", "=1+1", "ünïcode"])
def test_any_text_survives_the_file(tmp_path: Path, text: str):
    grades = Grades(tmp_path / "a.csv", tmp_path / "b.csv")
    given = {"query": "lamp", "item_id": text, "grade": 2, "judge": text}
    grades.put(read_grades(given))
    assert grades.read() == [Grade("lamp", text, 2, text)]
