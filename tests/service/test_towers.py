"""A release's graph answers for its model: the same answers without torch, or none at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smar.cli import main
from smar.errors import ArtifactError
from smar.models.onnx import TOLERANCE
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.service.towers import GRAPH
from tests.conftest import set_params

QUERIES = ["red lamp", "teal", "a lamp of many words that nobody types", "x"]
_SEARCHED = """
import sys
from smar.cli import main
assert main(["search", "red lamp", "--root", sys.argv[1]]) == 0
heavy = {"torch", "transformers", "pandas", "pydantic", "scipy", "onnx"} & set(sys.modules)
assert not heavy, sorted(heavy)
"""


def test_model_answers_where_there_is_no_graph(small_project: Path):
    retriever = Retriever.load(small_project)
    assert not (small_project / "releases" / "v1" / GRAPH).exists()
    assert retriever.tower.runtime == "torch"
    assert len(retriever.search("red lamp", 3)) == 3


@pytest.mark.whole
def test_release_with_a_graph_answers_as_its_model_does_without_torch(
    small_project: Path, capsys: pytest.CaptureFixture[str]
):
    set_params(small_project, {"promote.graph": True})
    for folder in ("releases", "models/release"):
        shutil.rmtree(small_project / folder)
    assert main(["promote", "-q", "--root", str(small_project)]) == 0
    release = small_project / "releases" / "v1"
    assert (release / GRAPH).is_file()
    assert (small_project / "models" / "release" / GRAPH).is_file()
    by_graph, by_model = (Retriever.load(small_project) for _ in range(2))
    by_model.encode_by_model()
    assert [by_graph.tower.runtime, by_model.tower.runtime] == ["onnx", "torch"]
    for text in QUERIES:
        found, expected = (one.answer(SearchRequest(query=text)) for one in (by_graph, by_model))
        assert found.gate == pytest.approx(expected.gate, abs=TOLERANCE)
        assert [hit.item_id for hit in found.hits] == [hit.item_id for hit in expected.hits]
        scores = [hit.score for hit in found.hits]
        assert scores == pytest.approx([hit.score for hit in expected.hits], abs=TOLERANCE)
    command = [sys.executable, "-c", _SEARCHED, str(small_project)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-300:]
    capsys.readouterr()
    assert main(["verify", "--root", str(small_project)]) == 0
    assert "the graph of the query tower gives those of the queries" in capsys.readouterr().out

    (release / GRAPH).chmod(0o644)
    content = bytearray((release / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (release / GRAPH).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{GRAPH}: is not what was written.*smar rollback"):
        Retriever.load(small_project)
