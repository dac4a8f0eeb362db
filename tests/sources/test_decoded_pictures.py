"""Pictures that were decoded before: the same store without decoding, and shards that stay."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from smar import artifacts
from smar.artifacts import Manifest, write_directory
from smar.data import images, schema
from smar.data.images import ImageStore
from smar.params import ImageStoreParams
from smar.sources import decoded_pictures, picture_reading
from smar.sources.decoded_pictures import DecodedPictures, Stamp, Stamps, remember
from smar.sources.picture_files import FACTS
from smar.sources.picture_shards import _categories
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine

PARAMS = ImageStoreParams(height=8, width=8, max_pixels=5_000)
NAMES = [f"{number:02d}.png" for number in range(10)]


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten pictures in shards of four."""
    monkeypatch.setattr(images, "SHARD_SIZE", 4)
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        draw(folder / name, number)
    return folder


def draw(path: Path, number: int) -> None:
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def ingest(
    raw: Path, names: list[str], *, remembering: bool = True
) -> tuple[list[int], Quarantine]:
    """Pack pictures as ingest does, an hour after they were made."""
    work, target, quarantine = raw.parent / "work", raw.parent / "images", Quarantine()
    decoded = DecodedPictures.open(work, PARAMS) if remembering else DecodedPictures()
    object.__setattr__(decoded, "started_ns", time.time_ns() + 3600 * 10**9)
    files = [PictureFile(f"i{row}", row, name) for row, name in enumerate(names)]
    manifest = Manifest(kind="images", details={"height": 8, "width": 8})
    with write_directory(target, manifest) as folder:
        ids, stamps, manifest.files = pack_images(
            raw, files, folder, PARAMS, quarantine, decoded=decoded
        )
    if remembering:
        remember(work, target, PARAMS, stamps)
    return ids, quarantine


def shown(raw: Path, ids: list[int]) -> np.ndarray:
    return ImageStore.open(raw.parent / "images").read(np.array(ids))


def shards(raw: Path) -> dict[str, tuple[int, bytes]]:
    files = sorted((raw.parent / "images").glob("*.npy"))
    return {file.name: (file.stat().st_ino, file.read_bytes()) for file in files}


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what grows by the size of every picture that is decoded."""
    seen: list[int] = []
    decode = picture_reading.decode

    def spy(content: bytes, *arguments: int, **options: bool) -> object:
        seen.append(len(content))
        return decode(content, *arguments, **options)

    monkeypatch.setattr(picture_reading, "decode", spy)
    return seen


def test_nothing_changed_is_the_same_store_and_decodes_nothing(raw: Path, decodings: list[int]):
    ingest(raw, NAMES)
    first = {p.name: p.read_bytes() for p in (raw.parent / "images").iterdir()}
    assert len(decodings) == 10
    ingest(raw, NAMES)
    assert {p.name: p.read_bytes() for p in (raw.parent / "images").iterdir()} == first
    assert len(decodings) == 10


def table_file(raw: Path) -> tuple[int, bytes]:
    table = raw.parent / "images" / images.TABLE
    return table.stat().st_ino, table.read_bytes()


def test_table_of_the_same_pictures_is_the_same_file(raw: Path):
    names = [*NAMES, *NAMES[:3]]
    ingest(raw, names)
    before = table_file(raw)
    ingest(raw, names)
    assert table_file(raw) == before
    ingest(raw, [*names, NAMES[7]])
    assert table_file(raw) == before


@pytest.mark.parametrize("change", ["another link", "another order", "one gone", "one more"])
def test_table_of_other_pictures_is_written_as_of_a_first_run(raw: Path, change: str):
    ingest(raw, NAMES)
    before = table_file(raw)
    names = list(NAMES)
    if change == "another link":
        (raw / "copy.png").write_bytes((raw / NAMES[3]).read_bytes())
        names[3] = "copy.png"
    elif change == "another order":
        names[2:4] = names[3], names[2]
    elif change == "one gone":
        names.pop()
    else:
        draw(raw / "more.png", 60)
        names.append("more.png")
    ingest(raw, names)
    after = table_file(raw)
    assert after[0] != before[0]
    grown = ImageStore.open(raw.parent / "images").table.drop(columns=["shard", "place"])
    ingest(raw, names, remembering=False)
    fresh = ImageStore.open(raw.parent / "images").table.drop(columns=["shard", "place"])
    assert grown.equals(fresh)


def test_what_changed_is_decoded_and_full_shards_stay_the_same_files(
    raw: Path, decodings: list[int]
):
    ingest(raw, NAMES)
    before = shards(raw)
    draw(raw / "05.png", 50)
    draw(raw / "new.png", 51)
    names = [NAMES[9], "new.png", *NAMES[1:9]]
    ids, _ = ingest(raw, names)
    assert len(decodings) == 12
    assert ids == list(range(10))
    after = shards(raw)
    assert set(before.items()) <= set(after.items())
    grown = shown(raw, ids)
    alone, _ = ingest(raw, names, remembering=False)
    assert alone == ids
    assert np.array_equal(shown(raw, alone), grown)


def test_grown_and_new_store_differ_only_in_where_pixels_lie(raw: Path):
    ingest(raw, NAMES)
    draw(raw / "03.png", 33)
    ingest(raw, NAMES[2:])
    grown = ImageStore.open(raw.parent / "images").table.drop(columns=["shard", "place"])
    ingest(raw, NAMES[2:], remembering=False)
    fresh = ImageStore.open(raw.parent / "images").table.drop(columns=["shard", "place"])
    assert grown.equals(fresh)


def test_shard_that_is_hardly_used_is_packed_anew(raw: Path):
    ingest(raw, NAMES)
    before = shards(raw)
    names = [NAMES[0], *NAMES[4:10]]  # one of four, four of four, two of two
    ids, _ = ingest(raw, names)
    after = shards(raw)
    assert len(set(after) & set(before)) == 2
    assert len(after) == 3
    assert np.array_equal(shown(raw, ids)[0], np.asarray(Image.open(raw / NAMES[0])))


def test_many_small_shards_become_few(raw: Path):
    names = list(NAMES)
    for day in range(12):
        name = f"day{day}.png"
        draw(raw / name, 100 + day)
        names.append(name)
        ids, _ = ingest(raw, names)
        assert len(shards(raw)) <= 2 + 9 + 1
    assert shown(raw, ids).shape == (22, 8, 8, 3)
    for name, pixels in zip(names, shown(raw, ids), strict=True):
        assert np.array_equal(pixels, np.asarray(Image.open(raw / name)))


def test_shards_that_are_packed_anew_have_a_table_of_their_own(raw: Path):
    names = list(NAMES)
    for day in range(9):  # as many shards that are not full: one too many
        draw(raw / f"day{day}.png", 100 + day)
        names.append(f"day{day}.png")
        ids, _ = ingest(raw, names)
    many, before = len(shards(raw)), shown(raw, ids)
    again, _ = ingest(raw, names)
    assert len(shards(raw)) < many
    assert again == ids
    assert np.array_equal(shown(raw, again), before)


def test_file_of_the_same_size_changed_in_place_is_noticed(raw: Path):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(raw / "flat.bmp")
    ingest(raw, ["flat.bmp"])
    times = (raw / "flat.bmp").stat()
    Image.new("RGB", (8, 8), (9, 8, 7)).save(raw / "flat.bmp")
    os.utime(raw / "flat.bmp", ns=(times.st_atime_ns, times.st_mtime_ns))
    ids, _ = ingest(raw, ["flat.bmp"])
    assert shown(raw, ids)[0, 0, 0].tolist() == [9, 8, 7]


def test_file_changed_a_moment_ago_is_read_again(raw: Path):
    decoded = DecodedPictures()
    stamp = Stamp.of(raw / NAMES[0])
    old = Stamp(stamp.device, stamp.inode, stamp.bytes, decoded.started_ns - 10**10)
    facts = np.array([stamp.facts, old.facts])
    assert decoded.trusted(facts).tolist() == [[0, 0, 0, 0], [*old.facts]]


def test_shard_that_nobody_wrote_to_is_not_hashed_again(raw: Path, monkeypatch: pytest.MonkeyPatch):
    hashed: list[str] = []
    digest = artifacts.digest
    monkeypatch.setattr(
        artifacts, "digest", lambda path: (hashed.append(path.suffix), digest(path))[1]
    )
    ingest(raw, NAMES)
    assert ".npy" not in hashed  # they were when they got their names
    ingest(raw, NAMES)
    assert hashed.count(".npy") == 3  # written a moment ago: who knows
    for file in (raw.parent / "images").iterdir():
        os.utime(file, (1, 1))
    ingest(raw, NAMES)
    manifest = (raw.parent / "images" / "manifest.json").read_bytes()
    hashed.clear()
    ids, _ = ingest(raw, NAMES)
    assert hashed == [Path(images.TABLE).suffix]  # for the manifest, and not to be opened
    assert (raw.parent / "images" / "manifest.json").read_bytes() == manifest
    assert len(shown(raw, ids)) == 10  # opened with every hash compared
    kept = next((raw.parent / "work").rglob("*.npy"))
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    again, _ = ingest(raw, NAMES)
    assert len(shown(raw, again)) == 10


def test_damage_to_what_is_remembered_costs_time_alone(
    raw: Path, decodings: list[int], caplog: pytest.LogCaptureFixture
):
    ids, _ = ingest(raw, NAMES)
    before = shown(raw, ids)
    kept = next((raw.parent / "work").rglob("*.npy"))
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)  # and with it the shard of the store, which is the same file
    again, _ = ingest(raw, NAMES)
    assert np.array_equal(shown(raw, again), before)
    assert len(decodings) == 20
    assert "pictures are decoded anew" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "gone", "of another store"])
def test_stamps_that_are_damaged_cost_time_alone(
    raw: Path, decodings: list[int], caplog: pytest.LogCaptureFixture, damage: str
):
    ids, _ = ingest(raw, NAMES)
    before = shown(raw, ids)
    kept = next((raw.parent / "work").rglob("stamps.parquet"))
    match damage:
        case "cut":
            kept.write_bytes(kept.read_bytes()[:-9])
        case "gone":
            kept.unlink()
        case _:
            links = pa.array(["00.png"])
            schema.write_arrow(kept, Stamps(links, np.zeros((1, 4), int), np.array([10])).table())
    again, _ = ingest(raw, NAMES)
    assert np.array_equal(shown(raw, again), before)
    assert len(decodings) == 20
    assert "pictures are decoded anew" in caplog.text


def test_other_size_is_another_way_to_pack(raw: Path, decodings: list[int]):
    ingest(raw, NAMES)
    wider = ImageStoreParams(height=8, width=9, max_pixels=5_000)
    assert DecodedPictures.open(raw.parent / "work", wider).earlier is None
    assert DecodedPictures.open(raw.parent / "work", PARAMS).earlier is not None


def test_picture_cut_short_is_marked_each_time(raw: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(raw / "cut.jpg", quality=95)
    content = (raw / "cut.jpg").read_bytes()
    (raw / "cut.jpg").write_bytes(content[: int(len(content) * 0.9)])
    first = ingest(raw, [*NAMES, "cut.jpg"])
    second = ingest(raw, [*NAMES, "cut.jpg"])
    for ids, quarantine in (first, second):
        assert ids[-1] == 10
        assert "is cut short; what is there is used" in set(quarantine.frame()["reason"])


@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 4))
def test_links_are_found_among_the_stamps_whatever_their_order(asked: list[str], number: int):
    stamps = Stamps(pa.array(["a", "b", "c"]), np.zeros((3, FACTS), np.int64), np.arange(3))
    expected = [{"a": 0, "b": 1, "c": 2}.get(link, -1) for link in asked[:number]]
    assert stamps.rows_of(pa.array(asked[:number], pa.string())).tolist() == expected
    assert stamps.rows_of(stamps.links).tolist() == [0, 1, 2]


def test_links_that_stay_are_not_looked_up_though_some_lead_to_no_picture(
    raw: Path, monkeypatch: pytest.MonkeyPatch, decodings: list[int]
):
    (raw / "bad.png").write_bytes(b"no picture")
    names = ["none.png", *NAMES, "bad.png"]
    before, _ = ingest(raw, names)
    monkeypatch.setattr(decoded_pictures, "places_of", None)
    decodings.clear()
    after, quarantine = ingest(raw, names)
    assert after == before == [-1, *range(10), -1]
    assert len(decodings) == 1  # what is bad is tried again
    assert len(quarantine.frame()) == 2
    draw(raw / "none.png", 50)
    draw(raw / "bad.png", 51)
    assert ingest(raw, names)[0] == [*range(12)]


@given(st.lists(st.integers(0, 4), max_size=9))
def test_shards_are_named_as_each_picture_alone(numbers: list[int]):
    names = ["b", "", "a", "b", "c"]
    expected = pd.Categorical([names[number] for number in numbers])
    found = _categories(names, np.array(numbers, np.int64))
    assert found.tolist() == expected.tolist()
    assert found.categories.tolist() == expected.categories.tolist()
