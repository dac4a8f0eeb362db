"""Features as the stage makes them, and what later stages do with them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from smar.artifacts import Manifest, write_directory
from smar.cli import main
from smar.data import schema
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.features.source import open_source
from smar.index.store import EmbeddingStore
from smar.models.encode import encode_items
from smar.models.io import load_model
from smar.paths import Paths
from tests.models.backbones.test_backbones import Zoo

Change = Callable[[Path, dict[str, Any]], None]


def run(project: Path, *stages: str) -> None:
    for stage in stages:
        assert main([stage, "--root", str(project), "--quiet"]) == 0


def outcome(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Paths(project).outcome("features").read_text())
    return found


@pytest.fixture
def project(small_project: Path, zoo: Zoo, change_params: Change) -> Path:
    """A project whose item towers are frozen and whose query tower moves, before training."""
    for name, kind in (("words", "bert"), ("pixels", "resnet")):
        copytree(zoo(kind).folder, small_project / "backbones" / f"{name}.model")
    changes = {
        "model.shared_words": False,
        "model.query.pretrained": "words",
        "model.text.pretrained": "words",
        "model.text.unfreeze": "none",
        "model.image.pretrained": "pixels",
        "model.image.unfreeze": "none",
        "features.tokens": "2x2",
        "features.levels": 2,
        "model.dim": 24,
        "pretrain.steps": 2,
        "finetune.steps": 2,
    }
    change_params(small_project, changes)
    return small_project


@pytest.mark.whole
def test_towers_learn_from_features_what_they_would_from_pixels(
    project: Path, change_params: Change
):
    paths = Paths(project)
    run(project, "features")
    first = outcome(project)
    assert first["run"]["computed"] == sum(first["rows"].values()) > 0
    run(project, "pretrain", "finetune", "embed")
    model, items = load_model(paths.retriever), schema.read_table(paths.items, schema.ITEMS)
    live = encode_items(model, items, ImageStore.open(paths.images), 64)
    store = EmbeddingStore.load(paths.embeddings)
    for name in ("text", "image", "multimodal"):
        assert np.allclose(getattr(live, name), getattr(store, name), atol=5e-3), name
    before = (paths.features / "manifest.json").read_bytes()
    run(project, "features")
    assert outcome(project)["run"]["computed"] == 0
    assert (paths.features / "manifest.json").read_bytes() == before
    change_params(project, {"features.colour": False})
    run(project, "features")
    made = outcome(project)["run"]["computed"]
    assert made == first["rows"]["pictures"], "texts stay as they are"
    images = ImageStore.open(paths.images)
    with pytest.raises(ArtifactError, match="image tower learns from what pixels, frozen, makes"):
        open_source(paths.features, images, model)


@pytest.mark.whole
@pytest.mark.parametrize("start", ["aligned", "contrasted"])
def test_a_project_is_trained_from_an_aligned_start(
    project: Path, change_params: Change, start: str
):
    changes = {
        **{f"model.{name}.pretrained": "" for name in ("query", "text")},
        "model.text.unfreeze": "all",
        "model.shared_words": True,
        "model.image.layers": 0,
        "pretrain.start": start,
        "pretrain.alignment": 1.0,
        "finetune.alignment": 0.3,
    }
    change_params(project, changes)
    run(project, "features", "pretrain", "finetune")
    paths = Paths(project)
    for stage in ("pretrain", "finetune"):
        assert "loss_alignment" in paths.history(stage).read_text()
    assert load_model(paths.retriever).image.origin.is_frozen


@pytest.mark.whole
def test_features_that_do_not_fit_are_refused(project: Path):
    paths = Paths(project)
    run(project, "features", "pretrain")
    model, images = load_model(paths.pretrained), ImageStore.open(paths.images)
    source = open_source(paths.features, images, model)
    with pytest.raises(ArtifactError, match="1 of 1 texts have no features; the catalogue changed"):
        source.states_of(["a text that no item has"])
    names = images.table["sha256"].to_pylist()
    place = images.table.column_names.index("sha256")
    images.table = images.table.set_column(place, "sha256", pa.array(["0" * 64, *names[1:]]))
    with pytest.raises(ArtifactError, match=r"1 of \d+ pictures have no features; other pictures"):
        open_source(paths.features, images, model)
    shard = next((paths.features / "image").glob("*.npy"))
    whole = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(whole[:-8])
    with pytest.raises(ArtifactError, match=r"damaged: image/shard-\w+\.npy is \d+ bytes"):
        open_source(paths.features, ImageStore.open(paths.images), model)
    with write_directory(paths.features, Manifest(kind="features")):
        pass
    with pytest.raises(ArtifactError, match="there are none there"):
        open_source(paths.features, ImageStore.open(paths.images), model)


@pytest.mark.whole
def test_without_a_frozen_tower_nothing_is_loaded_or_made(small_project: Path):
    code = (
        "import sys\nfrom smar.cli import main\n"
        f"assert main(['features', '--root', {str(small_project)!r}]) == 0\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "features: nothing to do: no item tower is frozen" in found.stderr
    folder = Paths(small_project).features
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert outcome(small_project)["run"]["computed"] == 0
