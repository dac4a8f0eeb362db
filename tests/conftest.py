"""Fixtures shared by all tests: small real things, never stand-ins. No test reaches the network."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import yaml
from filelock import FileLock
from hypothesis import settings
from PIL import Image

from smar.artifacts import Manifest, write_directory
from smar.cli import STAGES, main
from smar.data.images import KIND, ImageStore
from smar.data.text import item_texts
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.tokenizer import train_tokenizer
from smar.params import (
    FinetuneParams,
    ImageStoreParams,
    ImageTowerParams,
    LossParams,
    ModelParams,
    NegativeParams,
    Params,
    PretrainParams,
    QueryTowerParams,
    QueryVectorParams,
    TextTowerParams,
    load_params,
)
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine
from smar.train.batching import BatchMaker
from smar.train.dataset import TrainingData, build_training_data
from smar.train.prepare import build_maker
from tests.s3 import other_settings, s3, s3_server, strangers  # noqa: F401 - fixtures

torch.set_num_threads(1)
# The same examples every time, so that a failure is of the change; `make slow` draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
# Children inherit these: programs that tests start find no way out either.
for _name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ[_name] = "http://127.0.0.1:9"
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = "localhost,127.0.0.1,::1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GX_ANALYTICS_ENABLED"] = "False"


class NetworkGuard:
    """An audit hook that refuses every way to another machine, whichever library asks.

    Python reports connecting, sending and name look-ups before they happen, also those of modules
    that go past `socket.socket`. What was refused is remembered, so that a test whose code swallows
    the error fails all the same.
    """

    events = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
              "socket.gethostbyname", "socket.gethostbyaddr")  # fmt: skip

    def __init__(self) -> None:
        self.is_open = False
        self.refused: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_open or event not in self.events:
            return
        target = arguments[0] if event.startswith("socket.get") else arguments[1]
        if not _is_local(target):
            self.refused.append(f"{event} {target}")
            raise PermissionError(f"a test tried to reach {target} ({event})")


def _is_local(target: Any) -> bool:
    host = target[0] if isinstance(target, tuple) and target else target
    if host is None or not isinstance(host, str | bytes):
        return True  # any own address, or a family without hosts
    text = host.decode() if isinstance(host, bytes) else host
    is_path = not isinstance(target, tuple) and "/" in text  # a socket in the file system
    return is_path or text in {"", "localhost", "::1"} or text.startswith("127.")


GUARD = NetworkGuard()


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make every way to another machine fail, in this process and, by proxies, in its children."""
    GUARD.refused.clear()
    GUARD.is_open = bool(request.node.get_closest_marker("network"))
    yield
    GUARD.is_open = False
    expected = request.node.get_closest_marker("refused_by_guard")
    assert expected or not GUARD.refused, f"tried to reach: {GUARD.refused}"


@pytest.fixture
def tiny_model_params() -> ModelParams:
    tower = {"pretrained": "", "hidden": 24, "layers": 1, "heads": 2}
    return ModelParams(
        dim=16,
        vocab_size=400,
        field_markers=False,
        shared_words=False,
        query_vectors=QueryVectorParams(count=1, beta=0.1),
        query=QueryTowerParams(**tower, architecture="bert", pooling="cls", max_tokens=12),
        text=TextTowerParams(**tower, architecture="bert", pooling="mean", max_tokens=16),
        image=ImageTowerParams(**tower, architecture="vit", patch=8, stem="patch", pooling="cls"),
        fusion="cross_attention",
    )


TRAIN = {
    "steps": 6,
    "items_per_step": 16,
    "queries_per_item": 1,
    "learning_rate": 0.01,
    "warmup_frac": 0.1,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "field_mask_frac": 0.0,
    "misspelled_frac": 0.0,
    "precision": "float32",
    "checkpoint_s": 1000.0,
    "log_every": 1,
    "alpha": 1.0,
    "beta": 1.0,
    "gamma": 1.0,
}


@pytest.fixture
def tiny_pretrain() -> PretrainParams:
    return PretrainParams(**TRAIN, real_frac=0.5)


@pytest.fixture
def tiny_finetune() -> FinetuneParams:
    return FinetuneParams(
        **TRAIN,
        negatives=NegativeParams(impressed=0, mined=0, first_rank=2, last_rank=6),
    )


@pytest.fixture
def shipped() -> Params:
    """The parameters that ship with the project."""
    return load_params(Path(__file__).parent.parent / "params.yaml")


@pytest.fixture
def tiny_loss(shipped: Params) -> LossParams:
    """The shipped losses, softmax, at a temperature that tiny towers learn with in few steps."""
    softmax = shipped.loss.softmax.model_copy(update={"temperature": 0.1})
    gcl = shipped.loss.gcl.model_copy(update={"temperature": 0.1})
    return shipped.loss.model_copy(update={"softmax": softmax, "gcl": gcl})


@pytest.fixture
def tiny_images(tmp_path: Path) -> ImageStore:
    """Twenty random pictures of 16 x 16 pixels."""
    rng = np.random.default_rng(0)
    raw = tmp_path / "raw"
    raw.mkdir()
    names = [f"{number:02d}.png" for number in range(20)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(raw / name)
    manifest = Manifest(kind=KIND, details={"height": 16, "width": 16})
    with write_directory(tmp_path / "images", manifest) as folder:
        files = [PictureFile("i", 1, name) for name in names]
        params = ImageStoreParams(height=16, width=16, max_pixels=10_000)
        assert pack_images(raw, files, folder, params, Quarantine())[0] == list(range(20))
    return ImageStore.open(tmp_path / "images")


@pytest.fixture
def tiny_items() -> pd.DataFrame:
    """24 items in two categories; every sixth has no picture, every fifth has two."""
    colours = ["red", "blue", "green", "black", "white", "brown"]
    kinds = ["boot", "sandal", "novel", "atlas"]
    rows = []
    for number in range(24):
        pictures = [] if number % 6 == 0 else [number % 20]
        if number % 5 == 1:
            pictures.append((number + 1) % 20)
        rows.append(
            {
                "item_id": f"i{number:02d}",
                "title": f"{colours[number % 6]} {kinds[number // 6]} no {number}",
                "description": "",
                "brand": "Acme" if number % 2 else "",
                "category": "Shoes > Boots" if number < 12 else "Books",
                "attributes": "",
                "group_id": "",
                "price": 10.0 + number,
                "price_max": None,
                "currency": "EUR",
                "sale_price": None,
                "sale_from": pd.NaT,
                "sale_to": pd.NaT,
                "availability": "in_stock",
                **dict.fromkeys(("gtin", "mpn", "size", "colour", "more"), ""),
                "image_ids": np.array(pictures, np.int64),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture
def tiny_data(tiny_items: pd.DataFrame, tmp_path: Path) -> TrainingData:
    titles = tiny_items["title"].str.split()
    graded = pd.DataFrame(
        {
            "query": [" ".join(words[:2]) for words in titles],
            "item_id": tiny_items["item_id"],
            "grade": 4.0,
        }
    )
    synthetic = pd.DataFrame(
        {
            "query": [word for words in titles for word in (words[0], words[-1])],
            "item_id": tiny_items["item_id"].repeat(2).to_numpy(),
        }
    )
    return build_training_data(
        tiny_items,
        item_texts(tiny_items),
        graded=graded,
        synthetic=pa.Table.from_pandas(synthetic).to_batches(),
        visual_categories=["Shoes"],
        folder=tmp_path,
    )


@pytest.fixture
def tiny_model(
    tiny_model_params: ModelParams, tiny_items: pd.DataFrame
) -> Callable[[], DualEncoder]:
    """Return a builder: each call gives an equal, untrained model."""

    def build() -> DualEncoder:
        torch.manual_seed(0)
        texts = item_texts(tiny_items)
        return build_model(
            tiny_model_params,
            query_tokenizer=train_tokenizer(texts, 400, 12),
            text_tokenizer=train_tokenizer(texts, 400, 16),
            picture_size=(16, 16),
        )

    return build


@pytest.fixture
def tiny_maker(
    tiny_data: TrainingData, tiny_items: pd.DataFrame, tiny_images: ImageStore
) -> Callable[[DualEncoder], BatchMaker]:
    return lambda model: build_maker(model, tiny_data, tiny_items, tiny_images)


# A project so small that every stage takes about a second; its model has hardly learned.
SMALL_PROJECT: dict[str, Any] = {
    "threads": 1,
    "ingest.demo": {"num_items": 150, "num_searches": 600},
    "ingest.judgements.test_frac": 0.3,
    "ingest.images": {"height": 16, "width": 16, "max_pixels": 100_000},
    "model.dim": 32,
    "model.vocab_size": 500,
    "model.image.patch": 8,
    "synthesize.max_per_item": 6,
    "synthesize.validation_frac": 0.05,
    "evaluate.bootstrap": 200,
    "evaluate.examples": 4,
    "promote.graph": False,  # a test of its own writes one
    **{
        f"model.{tower}.{key}": value
        for tower in ("query", "text", "image")
        for key, value in {"hidden": 48, "heads": 4, "layers": 1}.items()
    },
    **{
        f"{stage}.{key}": value
        for stage in ("pretrain", "finetune")
        for key, value in {
            "steps": 12,
            "items_per_step": 32,
            "queries_per_item": 1,
            "precision": "float32",
        }.items()
    },
}


def set_params(root: Path, changes: dict[str, Any]) -> None:
    """Change values of a project's params.yaml by dotted keys."""
    file = root / "params.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in changes.items():
        section = content
        *parts, last = key.split(".")
        for part in parts:
            section = section[part]
        section[last] = value
    file.write_text(yaml.safe_dump(content))


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """Return what writes a directory again with a manifest that fits files changed by a test."""

    def write_again(path: Path) -> None:
        manifest = Manifest(**json.loads((path / "manifest.json").read_text()))
        manifest.files = {}  # what they say of the files is of before
        with write_directory(path, manifest) as folder:
            shutil.copytree(path, folder, dirs_exist_ok=True)
            (folder / "manifest.json").unlink()

    return write_again


@pytest.fixture(scope="session")
def change_params() -> Callable[[Path, dict[str, Any]], None]:
    return set_params


@pytest.fixture(scope="session")
def small_parameters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's params.yaml with the values of a small project."""
    root = tmp_path_factory.mktemp("parameters")
    shutil.copy(Path(__file__).parent.parent / "params.yaml", root)
    set_params(root, SMALL_PROJECT)
    return root / "params.yaml"


@pytest.fixture(scope="session")
def shared_project(
    tmp_path_factory: pytest.TempPathFactory, small_parameters: Path, worker_id: str
) -> Path:
    """A project in which every stage has run, with release v1; made once for all workers.

    Nothing may be changed in it; `small_project` is a copy.
    """
    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "shared-project"
    with FileLock(root.with_suffix(".lock")):
        if not (root / "made").exists():
            root.mkdir()
            shutil.copy(small_parameters, root)
            for stage in STAGES:
                assert main([stage, "-q", "--root", str(root)]) == 0
            (root / "made").touch()
    return root


@pytest.fixture
def small_project(shared_project: Path, tmp_path: Path) -> Path:
    """A project of its own in which every stage has run, with release v1."""
    return Path(shutil.copytree(shared_project, tmp_path / "small", symlinks=True))


@pytest.fixture
def untrained_project(
    small_project: Path, change_params: Callable[[Path, dict[str, Any]], None]
) -> Path:
    """A project whose training is short, and without an earlier model."""
    changes = {"pretrain.steps": 4, "pretrain.precision": "float32", "threads": 1}
    change_params(small_project, changes)
    shutil.rmtree(small_project / "models" / "pretrained")
    return small_project
