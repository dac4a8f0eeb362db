"""Shards in an object store: fetched as they are read, refused if they are not what was packed."""

import errno
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from smar import object_store
from smar.artifacts import Manifest, read_manifest, write_directory
from smar.data import images
from smar.data.images import ImageStore
from smar.data.stored_shards import StoredShards, check_store, forget_others, put_away
from smar.errors import ArtifactError, ParamsError
from smar.object_store import ObjectStore, StoreError
from smar.params import ImageStoreParams, load_params
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine

NUMBER = 10  # pictures, in shards of 4
PARAMS = ImageStoreParams(height=8, width=8, max_pixels=5_000)
DETAILS = {"height": 8, "width": 8}


def pack(root: Path, url: str) -> np.ndarray:
    """Pack pictures into a project, as ingest does, and return them, [n, 8, 8, 3]."""
    pixels = np.random.default_rng(0).integers(0, 256, (NUMBER, 8, 8, 3), dtype=np.uint8)
    raw = root / "raw"
    raw.mkdir(parents=True)
    files = [PictureFile("i", row, f"{row}.png") for row in range(NUMBER)]
    for picture, file in zip(pixels, files, strict=True):
        Image.fromarray(picture).save(raw / file.link)
    manifest = Manifest(kind=images.KIND, details=dict(DETAILS))
    with write_directory(root / "data" / "images", manifest) as target:
        manifest.files = pack_images(raw, files, target, PARAMS, Quarantine()).shards
        manifest.details |= put_away(target, manifest.files, url, root / ".smar" / "shards")
    return pixels


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SHARD_SIZE", 4)
    monkeypatch.setattr(object_store, "_WAIT_S", 0.0)


@pytest.fixture(params=["s3", "folder"])
def url(request: pytest.FixtureRequest, tmp_path: Path, small_shards: None) -> str:
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    return "s3://shop/pictures"


class Elsewhere:
    """A project whose pictures were packed on another machine: it has none of the shards."""

    def __init__(self, root: Path, url: str) -> None:
        self.pixels, self.url = pack(root, url), url
        self.images, self.kept = root / "data" / "images", root / ".smar" / "shards"
        self.facts = read_manifest(self.images, images.KIND).details["shards"]
        self.files, self.place = fsspec.core.url_to_fs(url)
        for file in self.kept.iterdir():
            file.unlink()

    def read(self, **settings: Any) -> np.ndarray:
        return ImageStore.open(self.images, **settings).read(np.arange(NUMBER))

    def object_of(self, name: str) -> str:
        return f"{self.place}/{name}"

    def names(self) -> list[str]:
        return sorted(file.name for file in self.kept.glob("*.npy"))


@pytest.fixture
def elsewhere(tmp_path: Path, url: str) -> Elsewhere:
    return Elsewhere(tmp_path / "project", url)


def test_shards_are_fetched_as_they_are_read(elsewhere: Elsewhere):
    assert {file.name for file in elsewhere.images.iterdir()} == {"images.parquet", "manifest.json"}
    store = ImageStore.open(elsewhere.images)
    assert elsewhere.names() == []
    assert np.array_equal(store.read(np.array([1]))[0], elsewhere.pixels[1])
    assert elsewhere.names() == [store.names[store.place_of(1)[0]]]
    assert np.array_equal(store.read(np.arange(NUMBER)), elsewhere.pixels)
    assert elsewhere.names() == sorted(elsewhere.facts)
    for name in elsewhere.facts:  # what is here is not asked for
        elsewhere.files.rm_file(elsewhere.object_of(name))
    assert np.array_equal(elsewhere.read(), elsewhere.pixels)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing": (lambda _: None, "is not in the store; expected {bytes} bytes of SHA-256 {sha256}"),
    "truncated": (
        lambda content: content[:-1],
        "holds {less} bytes of SHA-256 .*, expected {bytes}",
    ),
    "altered": (
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        "holds {bytes} bytes of SHA-256 .*, expected {bytes} bytes of {sha256}",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_object_that_is_not_what_was_packed_is_refused(elsewhere: Elsewhere, damage: str):
    change, message = DAMAGES[damage]
    name, facts = next(iter(elsewhere.facts.items()))
    content = change(elsewhere.files.cat_file(elsewhere.object_of(name)))
    elsewhere.files.rm_file(elsewhere.object_of(name))
    if content is not None:
        elsewhere.files.pipe_file(elsewhere.object_of(name), content)
    told = message.format(**facts, less=facts["bytes"] - 1)
    with pytest.raises(ArtifactError, match=f"{elsewhere.url}/{name}: {told}.*force ingest"):
        elsewhere.read()
    assert name not in elsewhere.names()
    assert not list(elsewhere.kept.glob(".*"))


@pytest.mark.parametrize("verify", [True, False])
def test_kept_shard_that_is_damaged_is_fetched_again(elsewhere: Elsewhere, verify: bool):
    elsewhere.read()
    first, second, _ = (elsewhere.kept / name for name in elsewhere.facts)
    first.write_bytes(first.read_bytes()[:-1])
    if verify:
        second.write_bytes(second.read_bytes()[:-1] + b"\0")
    assert np.array_equal(elsewhere.read(verify=verify), elsewhere.pixels)


def test_kept_shard_is_hashed_once(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch):
    elsewhere.read()
    monkeypatch.setattr("smar.data.stored_shards.digest", None)
    assert np.array_equal(elsewhere.read(), elsewhere.pixels)
    for record in elsewhere.kept.glob("*.json"):
        record.unlink()
    assert np.array_equal(elsewhere.read(verify=False), elsewhere.pixels)
    with pytest.raises(TypeError):
        elsewhere.read()


def test_check_tells_all_that_is_wrong(elsewhere: Elsewhere):
    manifest = read_manifest(elsewhere.images, images.KIND)
    ImageStore.open(elsewhere.images).read(np.array([0]))
    stored = StoredShards.of(manifest, elsewhere.kept)
    assert stored is not None
    assert stored.check() == (
        f"pictures: 3 shards in {elsewhere.url}, each with its size; 1 of them kept here, every "
        "hash as packed"
    )
    (here,) = elsewhere.names()
    gone = next(name for name in elsewhere.facts if name != here)
    file = elsewhere.kept / here
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    elsewhere.files.rm_file(elsewhere.object_of(gone))
    with pytest.raises(ArtifactError) as caught:
        stored.check()
    assert f"{elsewhere.url}/{gone} is missing, expected " in str(caught.value)
    assert f"{file}: its content is not what was packed; remove it" in str(caught.value)


READ = """
import sys, hashlib, logging, pathlib, numpy as np
from smar.data.images import ImageStore
told = []
logger = logging.getLogger("smar.data.stored_shards")
logger.setLevel("INFO")
logger.addFilter(lambda record: told.append("fetching" in record.getMessage()))
store = ImageStore.open(pathlib.Path(sys.argv[1]))
print(hashlib.sha256(store.read(np.arange(len(store))).tobytes()).hexdigest(), sum(told))
"""


@pytest.mark.usefixtures("s3")
def test_two_processes_fetch_at_once(tmp_path: Path, small_shards: None):
    elsewhere = Elsewhere(tmp_path / "project", "s3://shop/pictures")
    command = [sys.executable, "-c", READ, str(elsewhere.images)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].split() for process in started]
    assert {digest for digest, _ in said} == {sha256(elsewhere.pixels.tobytes()).hexdigest()}
    assert sum(int(fetched) for _, fetched in said) == len(elsewhere.facts)
    assert elsewhere.names() == sorted(elsewhere.facts)
    assert not list(elsewhere.kept.glob(".*"))


def test_store_that_does_not_answer_is_named(
    tmp_path: Path, small_shards: None, other_settings: Callable[..., None]
):
    elsewhere = Elsewhere(tmp_path / "project", "s3://shop/pictures")
    other_settings(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    message = r"s3://shop/pictures/shard-\w+\.npy: the store of s3:// did not answer: Endpoint"
    with pytest.raises(ArtifactError, match=message):
        elsewhere.read()
    with pytest.raises(
        ArtifactError, match=r"ingest\.images\.store: .*did not answer.*nothing was"
    ):
        check_store("s3://shop/pictures")


def test_credentials_that_are_refused_are_named(
    tmp_path: Path, s3: Any, small_shards: None, strangers: Callable[[], None]
):
    elsewhere = Elsewhere(tmp_path / "project", "s3://shop/pictures")
    strangers()
    with pytest.raises(ArtifactError, match="may not be read with this machine's credentials"):
        elsewhere.read()
    with pytest.raises(ArtifactError, match="may not be read with this machine's credentials"):
        check_store("s3://shop/pictures")
    with pytest.raises(StoreError, match="may not be written with this machine's credentials"):
        ObjectStore("s3://shop/pictures").put(elsewhere.images / "images.parquet", "a")


def test_machine_without_credentials_is_told(other_settings: Callable[..., None]):
    other_settings(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    with pytest.raises(StoreError, match="this machine has no credentials for the store"):
        ObjectStore("s3://shop").size_of("a")


def test_bucket_that_is_not_there_is_told(tmp_path: Path, s3: Any):
    with pytest.raises(ArtifactError, match=r"there is no such bucket or folder.*nothing was"):
        check_store("s3://other/pictures")
    with pytest.raises(ArtifactError, match=r"there is no such bucket or folder.*nothing was"):
        check_store(str(tmp_path / "not mounted"))
    assert not (tmp_path / "not mounted").exists()
    for _ in range(2):
        check_store("s3://shop/pictures")
    assert s3.cat_file("shop/pictures/about.txt").startswith(b"Shards of pictures")


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ("gs://shop", "cannot be read: .*gcsfs"),
        ("nosuch://shop", "cannot be read: Protocol not known: nosuch"),
    ],
)
def test_store_without_its_package_says_which(store: str, message: str):
    with pytest.raises(StoreError, match=message):
        ObjectStore(store).size_of("a")


class Faltering(MemoryFileSystem):
    """A store in memory that does not answer at first."""

    protocol = "faltering"
    failures = 0
    store: ClassVar[dict[str, Any]] = {}
    cachable = False

    def info(self, path: str, **settings: Any) -> Any:
        if Faltering.failures:
            Faltering.failures -= 1
            raise TimeoutError("no answer")
        return super().info(path, **settings)


def test_full_disk_is_no_fault_of_the_store():
    with pytest.raises(OSError, match="No space left"), object_store.explained("s3://shop"):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("failures", "left"), [(2, 0), (3, 0), (5, 2)])
def test_what_passes_is_tried_again(small_shards: None, failures: int, left: int):
    fsspec.register_implementation("faltering", Faltering, clobber=True)
    Faltering.failures = failures
    store = ObjectStore("faltering://shop")
    if failures < 3:
        assert store.size_of("a") is None
    else:
        with pytest.raises(StoreError, match="did not answer: TimeoutError"):
            store.size_of("a")
    assert Faltering.failures == left


def test_kept_shards_that_no_table_names_go(elsewhere: Elsewhere):
    elsewhere.read()
    first, *others = elsewhere.facts
    forget_others(elsewhere.kept, {first: {}})
    assert elsewhere.names() == [first]
    assert sorted(file.stem for file in elsewhere.kept.iterdir()) == [Path(first).stem] * 2
    assert all(elsewhere.files.exists(elsewhere.object_of(name)) for name in others)


@pytest.mark.parametrize(
    "store", ["", "s3://b", "gs://b/c", "/mnt/x", "file:///mnt/x", "memory://a"]
)
def test_places_for_shards(store: str):
    assert ImageStoreParams(store=store).store == store


@pytest.mark.parametrize(
    ("store", "problems"),
    [
        ("pictures", ["is no place for files"]),
        ("s3://", ["is no place for files"]),
        ("https://host/x", ["is no place for files"]),
        ("file://host/x", ["is no place for files"]),
        ("simplecache::s3://b", ["a chain of stores"]),
        ("/mnt/../etc", ["a way up"]),
        ("s3://key:secret@b", ["holds a password"]),
        ("../x::ftp://me:secret@b", ["is no place", "a way up", "holds a password"]),
    ],
)
def test_what_is_no_place_for_shards_is_refused_before_any_work(
    small_parameters: Path,
    tmp_path: Path,
    change_params: Callable[[Path, dict[str, Any]], None],
    store: str,
    problems: list[str],
):
    (tmp_path / "params.yaml").write_bytes(small_parameters.read_bytes())
    change_params(tmp_path, {"ingest.images.store": store, "ingest.images.width": 1})
    with pytest.raises(ParamsError) as caught:
        load_params(tmp_path / "params.yaml")
    for problem in (*problems, "ingest.images.width"):
        assert problem in str(caught.value)
    assert "secret" not in str(caught.value) or "holds a password" in str(caught.value)
