"""An export of the small project, and a source that needs none."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import faiss
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from smar.data.text import item_codes, item_texts
from smar.export.folder import write_export
from smar.export.source import Source
from smar.export.targets import names
from smar.index.ann import VectorIndex, gated_items
from smar.index.hybrid import HybridIndex
from smar.index.words import WordIndex
from smar.models.dual_encoder import DualEncoder
from smar.paths import Paths


@pytest.fixture
def tiny_source(
    tiny_model: Callable[[], DualEncoder], tiny_items: pd.DataFrame, tmp_path: Path
) -> Source:
    """Twenty-four items with random vectors, their words, and an untrained model."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, len(tiny_items), 16)).astype(np.float32)
    parts /= np.linalg.norm(parts, axis=2, keepdims=True)
    flat = faiss.IndexFlatIP(32)
    flat.add(gated_items(*parts))
    vectors = VectorIndex.of(flat, list(tiny_items["item_id"]))
    words = WordIndex.build(item_texts(tiny_items), item_codes(tiny_items))
    model = tiny_model()
    model.set_gate("learned")
    index = HybridIndex(vectors, words, 0.3)
    return Source(model.eval(), index, "", "0" * 64, Paths(tmp_path), None)


@pytest.fixture(scope="session")
def exported(
    shared_project: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> SimpleNamespace:
    """The small project's release with every target; made once, nothing may be changed in it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "exported"
    source = Source.load(shared_project)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            write_export(folder, source, names())
    return SimpleNamespace(folder=folder, source=source)


@pytest.fixture
def export(exported: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """A copy of the export that may be changed."""
    folder = Path(shutil.copytree(exported.folder, tmp_path / "export"))
    return SimpleNamespace(folder=folder, source=exported.source)
