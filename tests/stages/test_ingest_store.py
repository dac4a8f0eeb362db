"""Pictures whose shards lie in an object store: the same shop, and nothing that is not there."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.scale import write_params
from benchmarks.scale_shop import write_shop
from smar.artifacts import read_manifest
from smar.data import images
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.object_store import ObjectStore
from smar.paths import Paths
from smar.stages.ingest import run
from tests.stages.test_ingest_changed import outputs as written

SIZE, SHARD = 130, 50
STORE = "ingest.images.store"
Change = Callable[[Path, dict[str, Any]], None]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was read without a store, and decoded nothing that others could take over."""
    folder = tmp_path_factory.mktemp("plain")
    write_params(folder, pictures=True)
    root = folder / "project"
    root.mkdir()
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["ingest"]["images"] |= {"height": 16, "width": 16}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    write_shop(root / "data" / "raw", SIZE, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "SHARD_SIZE", SHARD)
        run(root)
    shutil.rmtree(root / ".smar" / "pictures")
    return root


@pytest.fixture
def project(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(images, "SHARD_SIZE", SHARD)
    return Path(shutil.copytree(plain, tmp_path / "project"))


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is put into stores and got from them."""
    found, put, get = [], ObjectStore.put, ObjectStore.get

    def noted_put(store: ObjectStore, file: Path, name: str) -> None:
        found.append(name)
        put(store, file, name)

    def noted_get(store: ObjectStore, name: str, file: Path) -> None:
        found.append(name)
        get(store, name, file)

    monkeypatch.setattr(ObjectStore, "put", noted_put)
    monkeypatch.setattr(ObjectStore, "get", noted_get)
    return found


def read(root: Path) -> np.ndarray:
    store = ImageStore.of(Paths(root))
    return store.read(np.arange(len(store)))


def outputs(root: Path) -> dict[str, str]:
    """Return what ingest wrote, but for shards and manifest of the pictures."""
    table = Paths(root).images / images.TABLE
    found = written(root) | {images.TABLE: sha256(table.read_bytes()).hexdigest()}
    return {path: digest for path, digest in found.items() if ".tmp-" not in str(Path(path).parent)}


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_store_changes_nothing_but_where_shards_lie(
    plain: Path,
    project: Path,
    carried: list[str],
    kind: str,
    request: pytest.FixtureRequest,
    change_params: Change,
):
    store = "s3://shop/pictures" if kind == "s3" else str(project.parent)
    if kind == "s3":
        request.getfixturevalue("s3")
    before = read_manifest(Paths(plain).images, images.KIND).files
    shards = {name: facts for name, facts in before.items() if name != images.TABLE}
    assert len(shards) == 3
    change_params(project, {STORE: store})
    run(project)
    assert outputs(project) == outputs(plain)
    folder = Paths(project).images
    assert {file.name for file in folder.iterdir()} == {images.TABLE, "manifest.json"}
    details = read_manifest(folder, images.KIND).details
    assert (details["store"], details["shards"]) == (store, shards)
    assert sorted(carried) == sorted([*shards, "about.txt"])
    assert np.array_equal(read(project), read(plain))
    manifest = (folder / "manifest.json").read_bytes()
    run(project)  # it takes all over
    assert len(carried) == len(shards) + 1
    assert (folder / "manifest.json").read_bytes() == manifest
    shutil.rmtree(project / ".smar")  # another machine, which has the small files alone
    assert np.array_equal(read(project), read(plain))
    assert {file.name for file in Paths(project).shards.glob("*.npy")} == set(shards)


def test_store_that_is_given_up_or_moved(plain: Path, project: Path, change_params: Change):
    stores = [project.parent / name for name in ("one", "other")]
    for store in stores:
        store.mkdir()
        change_params(project, {STORE: str(store)})
        run(project)
        assert len(list(store.glob("*.npy"))) == 3
        assert np.array_equal(read(project), read(plain))
    for store in stores:
        shutil.rmtree(store)
    change_params(project, {STORE: ""})
    run(project)
    assert outputs(project) == outputs(plain)
    manifests = [(Paths(root).images / "manifest.json").read_bytes() for root in (project, plain)]
    assert manifests[0] == manifests[1]
    assert np.array_equal(read(project), read(plain))
    assert list(Paths(project).shards.iterdir()) == []


def test_object_that_was_lost_is_put_back(project: Path, change_params: Change):
    store = project.parent / "store"
    store.mkdir()
    change_params(project, {STORE: str(store)})
    run(project)
    whole = {file.name: file.read_bytes() for file in store.iterdir()}
    pixels = read(project)
    first, second, _ = sorted(store.glob("*.npy"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    run(project)  # from what this machine keeps
    assert {file.name: file.read_bytes() for file in store.iterdir()} == whole
    first.unlink()
    shutil.rmtree(Paths(project).shards)
    with pytest.raises(ArtifactError, match="is not in the store"):
        read(project)
    run(project)  # from the shop's pictures
    assert {file.name: file.read_bytes() for file in store.iterdir()} == whole
    assert np.array_equal(read(project), pixels)


_KILLED = """
import os, signal, sys
from pathlib import Path
from smar.data import images, stored_shards
from smar.stages.ingest import run
images.SHARD_SIZE = int(sys.argv[2])
stored_shards._keep = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run(Path(sys.argv[1]))
"""


def test_process_killed_before_the_swap_leaves_what_the_next_one_finds(
    plain: Path, project: Path, carried: list[str], s3: Any, change_params: Change
):
    change_params(project, {STORE: "s3://shop/pictures"})
    command = [sys.executable, "-c", _KILLED, str(project), str(SHARD)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -9
    assert len(s3.ls("shop/pictures")) == 4
    assert outputs(project) == outputs(plain)
    assert (Paths(project).images / "manifest.json").read_bytes() == (
        Paths(plain).images / "manifest.json"
    ).read_bytes()
    run(project)
    assert carried == []
    assert np.array_equal(read(project), read(plain))
    assert not list(Paths(project).images.parent.glob(".*"))


def test_store_that_cannot_be_written_is_told_before_any_work(
    plain: Path, project: Path, change_params: Change, monkeypatch: pytest.MonkeyPatch
):
    change_params(project, {STORE: str(project / "not mounted")})
    monkeypatch.setattr("smar.sources.folder.read_source", None)
    with pytest.raises(ArtifactError, match=r"ingest\.images\.store: .*no such bucket or folder"):
        run(project)
    assert outputs(project) == outputs(plain)
