"""Which heavy libraries a command loads: each is a wait before the first result."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from smar.artifacts import Manifest
from smar.data import schema
from smar.index.ann import KIND
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex, write_index
from smar.index.layout import Layout
from smar.index.words import WordIndex
from smar.params import IndexParams

_LOADED = """
import importlib, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
heavy = set(sys.argv[1].split()) & set(sys.modules)
assert not heavy, sorted(heavy)
"""
_MODELS = "torch transformers onnx onnxruntime"
_TABLES = "pandas scipy sklearn bm25s numba"
_PAGES = "fastapi uvicorn plotly great_expectations evidently requests"
_SEARCH = ("smar.cli", "smar.service.retriever", "smar.service.request", "smar.service.table")
_INGEST = ("smar.running", "smar.sources.folder", "smar.sources.decoded_pictures", "smar.demo.shop")


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (("smar.cli",), f"{_MODELS} {_TABLES} {_PAGES} faiss numpy pyarrow pydantic yaml PIL"),
        (("smar.release.listing",), f"{_MODELS} {_TABLES} {_PAGES} faiss numpy pyarrow PIL"),
        (_SEARCH, f"{_MODELS} {_TABLES} {_PAGES} pydantic yaml"),
        (("smar.service.http.server",), f"{_MODELS} {_TABLES} plotly evidently requests"),
        (_INGEST, f"{_MODELS} {_PAGES} faiss scipy sklearn bm25s"),
        (("smar.synthetic.synthesize",), f"{_MODELS} {_PAGES} faiss scipy sklearn bm25s PIL"),
    ],
    ids=["help", "releases", "search", "serve", "ingest", "synthesize"],
)
def test_command_loads_no_library_that_it_does_not_use(modules: tuple[str, ...], absent: str):
    command = [sys.executable, "-c", _LOADED, absent, *modules]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-300:]


_SEARCHED = """
import sys
from pathlib import Path
import numpy as np
from smar.index.hybrid import HybridIndex
from smar.data import schema
from smar.models.embeddings import QueryEmbeddings
from smar.service.items import ItemTable
index = HybridIndex.load(Path(sys.argv[2]))
query = QueryEmbeddings(np.eye(1, 8, dtype=np.float32), np.zeros(1, np.float32))
assert index.item_ids[index.search(["boot"], query, 1)[1][0, 0]] == "b"
items = ItemTable(schema.read_columns(Path(sys.argv[2]) / "shop.parquet", schema.ITEMS), [])
assert [item["price"] for item in items.read(np.array([1, 0]))] == [None, 2.5]
heavy = set(sys.argv[1].split()) & set(sys.modules)
assert not heavy, sorted(heavy)
"""


@pytest.mark.parametrize("shards", [1, 2])
def test_index_is_read_and_searched_without_heavy_libraries(tmp_path: Path, shards: int):
    rows = np.eye(2, 16, dtype=np.float32)
    rows[:, 8:] = rows[:, :8]
    params = IndexParams(
        exact_below=9, recall_target=0.9, recall_at=5, sample_queries=5, word_share=0.5
    )
    layout = Layout.of(["a", "b"], shards)
    vectors = build_index(rows, ["a", "b"], params, lambda: rows, layout)
    index = HybridIndex(vectors, WordIndex.build(["lamp", "boot"]), 0.8)
    write_index(tmp_path / "index", index, Manifest(kind=KIND))
    empty = {pa.string(): "", pa.list_(pa.int64()): []}
    cells = {field.name: [empty.get(field.type)] * 2 for field in schema.ITEMS}
    items = pa.table(cells | {"price": [2.5, None]}, schema.ITEMS)
    schema.write_arrow(tmp_path / "index" / "shop.parquet", items)
    command = [sys.executable, "-c", _SEARCHED, f"{_MODELS} {_TABLES}", str(tmp_path / "index")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-300:]
