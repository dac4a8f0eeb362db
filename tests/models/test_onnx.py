"""The query tower as a graph: the same numbers, every kind, and refusals."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from smar.errors import ExportError
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_queries
from smar.models.onnx import TOLERANCE, OnnxQueries, token_feed
from smar.models.onnx_graph import write_int8, write_query_graph, write_token_graph
from smar.models.tokenizer import train_tokenizer
from smar.params import ModelParams
from smar.params.kinds import GATES

TEXTS = ["red boot", "x", "green sandal of a very long name for women no 12", "\u00e9t\u00e9", ""]
WORDS = ["red boot", "green sandal", "blue novel", "white atlas for women no 12"]

Build = Callable[..., DualEncoder]


@pytest.fixture
def build(tiny_model_params: ModelParams) -> Build:
    """Return a builder of small models whose gates say something of a query."""

    def make(
        architecture: str = "bert", pooling: str = "mean", vectors: int = 1, gate: str = "learned"
    ) -> DualEncoder:
        changes = {"architecture": architecture, "pooling": pooling}
        params = tiny_model_params.model_copy(
            update={
                "query": tiny_model_params.query.model_copy(update=changes),
                "query_vectors": tiny_model_params.query_vectors.model_copy(
                    update={"count": vectors}
                ),
            }
        )
        torch.manual_seed(3)
        model = build_model(
            params,
            query_tokenizer=train_tokenizer(WORDS, 300, 12),
            text_tokenizer=train_tokenizer(WORDS, 300, 16),
            picture_size=(16, 16),
        )
        model.set_gate(gate)
        for layer in model.gate.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight)
        return model.eval()

    return make


@pytest.fixture
def written(build: Build, tmp_path: Path) -> SimpleNamespace:
    model = build()
    difference = write_query_graph(model, tmp_path / "query.onnx")
    return SimpleNamespace(model=model, graph=tmp_path / "query.onnx", difference=difference)


@pytest.mark.whole
def test_graph_encodes_as_the_model_does(written: SimpleNamespace, tmp_path: Path):
    assert 0 < written.difference <= TOLERANCE
    content = written.graph.read_bytes()  # says nothing of where it was made
    assert not [text for text in (b"site-packages", b".py", b"File ") if text in content]
    write_query_graph(written.model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == content
    queries = OnnxQueries.load(written.graph, written.model.query_tokenizer)
    for texts in (TEXTS, TEXTS[:1], TEXTS * 20):
        found, expected = queries.encode(texts), encode_queries(written.model, texts)
        assert np.abs(found.vector - expected.vector).max() <= TOLERANCE
        assert np.abs(found.gate - expected.gate).max() <= TOLERANCE
    assert np.ptp(expected.gate) > 0.01  # the gate does tell queries apart
    write_int8(written.graph, tmp_path / "int8.onnx")
    smaller = OnnxQueries.load(tmp_path / "int8.onnx", written.model.query_tokenizer).encode(TEXTS)
    assert (smaller.vector * expected.vector[: len(TEXTS)]).sum(1).min() > 0.85  # random weights


@pytest.mark.whole
def test_gated_output_and_tokens_are_the_query_of_the_index(
    written: SimpleNamespace, tmp_path: Path
):
    import onnxruntime

    from smar.index.ann import gated_queries

    encoded = encode_queries(written.model, TEXTS)
    expected = gated_queries(encoded.vector, encoded.gate)
    feed = token_feed(written.model.query_tokenizer, TEXTS)
    session = onnxruntime.InferenceSession(written.graph)
    assert session.run(["gated"], feed)[0] == pytest.approx(expected, abs=TOLERANCE)
    write_token_graph(written.model, tmp_path / "embedder.onnx")
    states = onnxruntime.InferenceSession(tmp_path / "embedder.onnx").run(
        ["last_hidden_state"], feed
    )[0]
    weights = feed["attention_mask"] / feed["attention_mask"].sum(1, keepdims=True)
    assert np.einsum("ql,qld->qd", weights, states) == pytest.approx(expected, abs=TOLERANCE)
    assert states[:, 0] == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.whole
@pytest.mark.parametrize("gate", list(GATES))
def test_every_gate_can_be_a_graph(build: Build, gate: str, tmp_path: Path):
    assert write_query_graph(build(gate=gate), tmp_path / "query.onnx") <= TOLERANCE


@pytest.mark.whole
@pytest.mark.parametrize(("pooling", "vectors"), [("cls", 1), ("mean", 3), ("last", 1)])
def test_every_pooling_and_several_vectors_can_be_a_graph(
    build: Build, pooling: str, vectors: int, tmp_path: Path
):
    model = build(pooling=pooling, vectors=vectors)
    assert write_query_graph(model, tmp_path / "query.onnx") <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture",
    ["albert", "distilbert", "electra", "mpnet", "nomic_bert", "modernbert", "roberta"],
)
def test_text_towers_people_have_can_be_graphs(build: Build, architecture: str, tmp_path: Path):
    model = build(architecture=architecture)
    assert write_query_graph(model, tmp_path / "query.onnx") <= TOLERANCE


class Odd(nn.Module):
    """A gate whose work hangs on the numbers that it sees."""

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled[:, 0] if pooled.sum().item() > 0 else pooled[:, 1]


@pytest.mark.whole
def test_what_cannot_be_a_graph_is_refused_in_words(build: Build, tmp_path: Path):
    model = build()
    model.gate = Odd()
    with pytest.raises(ExportError, match=r"cannot be written as ONNX \(.+\)\. Serve this model"):
        write_query_graph(model, tmp_path / "query.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.whole
def test_graph_that_differs_from_its_model_is_not_written(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("smar.models.onnx_graph.TOLERANCE", 0.0)
    with pytest.raises(ExportError, match=r"differs from the model by .*it is not used"):
        write_query_graph(build(), tmp_path / "query.onnx")
    assert not list(tmp_path.iterdir())


def test_tokens_cannot_stand_for_several_vectors(build: Build, tmp_path: Path):
    with pytest.raises(ExportError, match=r"a query has 3 vectors"):
        write_token_graph(build(vectors=3), tmp_path / "embedder.onnx")


def test_file_that_is_no_graph_is_refused(build: Build, tmp_path: Path):
    (tmp_path / "query.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match="ONNX Runtime cannot run it"):
        OnnxQueries.load(tmp_path / "query.onnx", build().query_tokenizer)


def test_missing_runtime_is_named(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"onnxruntime.*pip install 'smar\[export\]'"):
        OnnxQueries.load(tmp_path / "query.onnx", build().query_tokenizer)


def test_missing_library_of_the_smaller_graph_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"onnx .*pip install 'smar\[export\]'"):
        write_int8(tmp_path / "query.onnx", tmp_path / "int8.onnx")
