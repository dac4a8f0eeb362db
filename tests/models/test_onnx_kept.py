"""Graphs that are kept: one for a content, never an old one, whole or not at all."""

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from smar.artifacts import Manifest
from smar.errors import ExportError
from smar.kept_files import forget_unused
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.encode import encode_queries
from smar.models.io import save_model
from smar.models.onnx import TOLERANCE
from smar.models.onnx_kept import KEPT, graph_path, kept_queries, made_queries
from smar.models.tokenizer import train_tokenizer
from smar.params import ModelParams

TEXTS = ["red boot", "x", "green sandal of a very long name for women no 12", ""]
WORDS = ["red boot", "green sandal", "blue novel", "white atlas for women no 12"]


def saved(params: ModelParams, folder: Path, seed: int = 3) -> DualEncoder:
    """Return a small model that `folder` holds."""
    torch.manual_seed(seed)
    model = build_model(
        params,
        query_tokenizer=train_tokenizer(WORDS, 300, 12),
        text_tokenizer=train_tokenizer(WORDS, 300, 16),
        picture_size=(16, 16),
    ).eval()
    save_model(model, folder, Manifest(kind="model", details={"seed": seed}))
    return model


def test_name_is_of_what_the_queries_depend_on(tiny_model_params: ModelParams, tmp_path: Path):
    saved(tiny_model_params, tmp_path / "one")
    saved(tiny_model_params, tmp_path / "same")
    saved(tiny_model_params, tmp_path / "other", seed=4)
    names = [graph_path(tmp_path / name, tmp_path).name for name in ("one", "same", "other")]
    assert names[0] == names[1] != names[2]
    assert kept_queries(tmp_path / "one", tmp_path / names[0]) is None


def test_graphs_that_were_not_used_for_long_go(tmp_path: Path):
    for number in range(KEPT + 3):
        (tmp_path / f"{number}.onnx").touch()
        os.utime(tmp_path / f"{number}.onnx", (number, number))
    forget_unused(tmp_path, "*.onnx", KEPT)
    assert {path.stem for path in tmp_path.iterdir()} == {str(n) for n in range(3, KEPT + 3)}


def test_missing_runtime_is_named_before_any_work(
    tiny_model_params: ModelParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    saved(tiny_model_params, tmp_path / "model")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"onnxruntime.*pip install 'smar\[export\]'"):
        made_queries(tmp_path / "model", tmp_path / "kept" / "query.onnx")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [".lock"]


@pytest.mark.whole
def test_graph_is_written_once_and_neither_an_old_nor_a_damaged_one_answers(
    tiny_model_params: ModelParams, tmp_path: Path
):
    model = saved(tiny_model_params, tmp_path / "model")
    path = graph_path(tmp_path / "model", tmp_path / "kept")
    found: list[np.ndarray] = []

    def make() -> None:
        queries = made_queries(tmp_path / "model", path)
        assert queries is not None
        found.append(queries.encode(TEXTS).vector)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = encode_queries(model, TEXTS)
    assert [np.abs(each - expected.vector).max() <= TOLERANCE for each in found] == [True, True]
    written = path.stat().st_ino
    make()
    assert path.stat().st_ino == written

    saved(tiny_model_params, tmp_path / "other", seed=4)
    assert kept_queries(tmp_path / "other", path) is None  # a graph, and not of this model
    path.write_bytes(path.read_bytes()[:-1000])
    assert kept_queries(tmp_path / "model", path) is None
    make()
    assert np.abs(found[-1] - expected.vector).max() <= TOLERANCE


@pytest.mark.whole
def test_writer_that_is_killed_or_not_wanted_leaves_no_graph(
    tiny_model_params: ModelParams, tmp_path: Path
):
    saved(tiny_model_params, tmp_path / "model")
    path = graph_path(tmp_path / "model", tmp_path / "kept")
    assert made_queries(tmp_path / "model", path, 1, lambda: not _writers()) is None
    assert _writers() == []

    def kill() -> bool:
        for writer in _writers():
            os.kill(writer, signal.SIGKILL)
        return True

    with pytest.raises(ExportError, match=r"no graph of .* was written: .* -9"):
        made_queries(tmp_path / "model", path, 1, kill)
    assert list((tmp_path / "kept").glob("*.onnx")) == []


def _writers() -> list[int]:
    """Return the processes that write a graph for this one."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # another child of this worker ended meanwhile
            if "smar.models.onnx_making" in child.cmdline():
                found.append(child.pid)
    return found
