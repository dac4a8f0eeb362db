"""Queries encoded by ONNX Runtime: the same answers, said so, and torch where it cannot."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smar.errors import ExportError
from smar.models.onnx import TOLERANCE
from smar.service.http.query_towers import QueryTowers
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from tests.service.http.conftest import Client
from tests.service.http.test_live import publish_again, wait_for

Serve = Callable[..., Client]
QUERIES = ["red lamp", "teal", "a lamp of many words that nobody types", "x"]


def runtime_of(client: Client) -> str:
    encoder = client.get("/readyz").json()["encoder"]
    metrics = client.get("/metrics").text
    if client.get("/readyz").json()["encoder"] != encoder:  # it took the graph meanwhile
        return runtime_of(client)
    assert f"smar_query_tower_onnx {float(encoder == 'onnx')}" in metrics
    return encoder


@pytest.mark.whole
def test_service_answers_as_the_library_by_a_graph_that_is_written_while_it_answers(
    serve: Serve, small_project: Path
):
    client = serve(encoder="auto", watch_s=0.02)
    assert runtime_of(client) == "torch"
    assert client.get("/search?q=lamp").status_code == 200
    wait_for(lambda: runtime_of(client) == "onnx", 400)
    library = Retriever.load(small_project)
    assert library.tower.runtime == "onnx"  # the kept graph serves it too
    library.encode_by_model()
    for text in QUERIES:
        found = client.get("/search", params={"q": text}).json()
        expected = library.answer(SearchRequest(query=text))
        assert found["gate"] == pytest.approx(expected.gate, abs=TOLERANCE)
        assert [hit["item_id"] for hit in found["hits"]] == [hit.item_id for hit in expected.hits]
        scores = [hit["score"] for hit in found["hits"]]
        assert scores == pytest.approx([hit.score for hit in expected.hits], abs=TOLERANCE)
    publish_again(small_project)  # the same model: its graph is kept
    wait_for(lambda: client.get("/readyz").json()["release"] == "v2")
    assert runtime_of(client) == "onnx"
    again = serve(encoder="onnx")
    assert runtime_of(again) == "onnx"
    assert len(list((small_project / ".smar" / "onnx").glob("*.onnx"))) == 1


def test_without_the_runtime_torch_answers_unless_onnx_is_asked_for(
    serve: Serve, small_project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    client = serve(encoder="auto")
    assert runtime_of(client) == "torch"
    assert client.get("/search?q=lamp").status_code == 200
    towers = QueryTowers(small_project, "onnx")
    with pytest.raises(ExportError, match="onnxruntime is not installed"):
        towers.give(client.service.live.current)
