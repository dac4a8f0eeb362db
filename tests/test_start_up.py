"""Which heavy libraries a command loads: each is a wait before the first result."""

import subprocess
import sys

import pytest

_LOADED = """
import importlib, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
heavy = set(sys.argv[1].split()) & set(sys.modules)
assert not heavy, sorted(heavy)
"""
_MODELS = "torch transformers onnx onnxruntime"
_TABLES = "pandas scipy sklearn bm25s"
_PAGES = "fastapi uvicorn plotly great_expectations evidently requests"
# What a search loads beside the model of its queries.
_SEARCH = (
    "smar.service.answer", "smar.service.fields", "smar.service.items", "smar.service.pictures",
    "smar.service.registry", "smar.service.request", "smar.service.suggesting",
    "smar.index.hybrid", "smar.index.explain", "smar.models.embeddings",
)  # fmt: skip
_INGEST = ("smar.running", "smar.sources.folder", "smar.sources.decoded_pictures", "smar.demo.shop")


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (("smar.cli",), f"{_MODELS} {_TABLES} {_PAGES} faiss numpy pyarrow pydantic yaml PIL"),
        (("smar.release.listing",), f"{_MODELS} {_TABLES} {_PAGES} faiss numpy pyarrow PIL"),
        (_SEARCH, f"{_MODELS} {_TABLES} {_PAGES}"),
        (_INGEST, f"{_MODELS} {_PAGES} faiss scipy sklearn bm25s"),
        (("smar.synthetic.synthesize",), f"{_MODELS} {_PAGES} faiss scipy sklearn bm25s PIL"),
    ],
    ids=["help", "releases", "search", "ingest", "synthesize"],
)
def test_command_loads_no_library_that_it_does_not_use(modules: tuple[str, ...], absent: str):
    command = [sys.executable, "-c", _LOADED, absent, *modules]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-300:]
