"""Pictures: packed whole, upright, once; anything else is left out with its reason."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from smar.artifacts import Manifest, write_directory
from smar.data import images
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.params import ImageStoreParams
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine

PARAMS = ImageStoreParams(height=20, width=10, max_pixels=5_000)
MANIFEST = {"height": 20, "width": 10}


def pack(raw: Path, links: list[str]) -> tuple[list[int], Quarantine, ImageStore]:
    quarantine = Quarantine()
    target = raw.parent / "packed"
    files = [PictureFile(f"i{row}", row, link) for row, link in enumerate(links, start=1)]
    with write_directory(target, Manifest(kind="images", details=MANIFEST)) as folder:
        ids, *_ = pack_images(raw, files, folder, PARAMS, quarantine)
    return ids, quarantine, ImageStore.open(target)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def save(path: Path, colour: str = "red", size: tuple[int, int] = (10, 20), **settings) -> None:
    Image.new(settings.pop("mode", "RGB"), size, colour).save(path, **settings)


def test_picture_of_the_right_size_is_kept_to_the_pixel(raw: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(raw / "a.png")
    ids, _, store = pack(raw, ["a.png"])
    assert ids == [0]
    assert (store.read(np.array([0]))[0] == pixels).all()


def test_wide_picture_is_letterboxed_on_white(raw: Path):
    save(raw / "a.png", "blue", (40, 20))
    picture = pack(raw, ["a.png"])[2].read(np.array([0]))[0]
    assert picture[0, 5].tolist() == [255, 255, 255]
    assert picture[10, 5].tolist() == [0, 0, 255]


def test_transparent_picture_is_laid_on_white(raw: Path):
    Image.new("RGBA", (10, 20), (255, 0, 0, 0)).save(raw / "a.png")
    assert (pack(raw, ["a.png"])[2].read(np.array([0])) == 255).all()


def test_rotated_photograph_is_turned_upright(raw: Path):
    image = Image.new("RGB", (20, 10), "white")
    image.paste("black", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to see it upright
    image.save(raw / "a.png", exif=exif)
    picture = pack(raw, ["a.png"])[2].read(np.array([0]))[0]
    assert picture[2].max() < 40
    assert picture[17].min() > 215


def test_equal_files_are_stored_once(raw: Path):
    save(raw / "a.png")
    (raw / "b.png").write_bytes((raw / "a.png").read_bytes())
    save(raw / "c.png", "green")
    ids, _, store = pack(raw, ["a.png", "b.png", "c.png", "a.png"])
    assert ids == [0, 0, 1, 0]
    assert len(store) == 2


def test_pictures_span_shards(raw: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "SHARD_SIZE", 3)
    for number in range(7):
        save(raw / f"{number}.png", (number * 30, 0, 0))
    ids, _, store = pack(raw, [f"{number}.png" for number in range(7)])
    assert ids == list(range(7))
    order = np.array([6, 0, 3, 5, 3])
    assert store.read(order)[:, 0, 0, 0].tolist() == [180, 0, 90, 150, 90]


def test_no_picture_at_all_is_a_store_too(raw: Path):
    _, _, store = pack(raw, [])
    assert len(store) == 0
    assert store.read(np.empty(0, np.int64)).shape == (0, 20, 10, 3)


BAD = {
    "missing": ("nothing.png", "file is missing"),
    "corrupt": ("corrupt.jpg", "is corrupt"),
    "text": ("text.jpg", "is not a picture"),
    "huge": ("huge.png", "has more than 5000 pixels"),
    "pixel": ("pixel.gif", "is 1 x 1 pixels"),
    "svg": ("drawing.svg", "is SVG"),
    "escaping": ("../outside.png", "leaves the feed's folder"),
    "absolute": ("/etc/hostname", "leaves the feed's folder"),
    "link": ("link.png", "leaves the feed's folder"),
    "url": ("https://example.com/a.png", "is a URL"),
    "null": ("a\0b.png", "file cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_picture_is_left_out_with_its_reason(raw: Path, name: str):
    save(raw / "good.png")
    save(raw.parent / "outside.png")
    (raw / "link.png").symlink_to(raw.parent / "outside.png")
    save(raw / "corrupt.jpg", size=(60, 60))
    content = (raw / "corrupt.jpg").read_bytes()
    (raw / "corrupt.jpg").write_bytes(content[: len(content) // 2])
    (raw / "text.jpg").write_text("not a picture")
    save(raw / "huge.png", size=(100, 100))
    save(raw / "pixel.gif", size=(1, 1))
    (raw / "drawing.svg").write_text('<?xml version="1.0"?><svg width="9" height="9"/>')
    link, reason = BAD[name]
    ids, quarantine, store = pack(raw, ["good.png", link])
    assert ids == [0, -1]
    assert len(store) == 1
    row = quarantine.frame().iloc[0]
    assert reason in row["reason"]
    assert (row["source"], row["row"], row["key"]) == ("pictures", 2, "i2")


def test_truncated_shard_is_refused(raw: Path):
    save(raw / "a.png")
    pack(raw, ["a.png"])
    shard = next((raw.parent / "packed").glob("*.npy"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"shard-\w+\.npy is \d+ bytes, expected"):
        ImageStore.open(raw.parent / "packed")


def test_pictures_that_no_shard_holds_are_refused(raw: Path):
    save(raw / "a.png")
    store = pack(raw, ["a.png"])[2]
    target = raw.parent / "other"
    with write_directory(target, Manifest(kind="images", details=MANIFEST)) as folder:
        np.save(folder / store.names[0], store.pixels_of(0))
        store.table.to_pandas().assign(place=1).to_parquet(folder / images.TABLE)
    with pytest.raises(ArtifactError, match=r"1 of the 1 pictures of images\.parquet are not in"):
        ImageStore.open(target)
    with write_directory(target, Manifest(kind="images", details=MANIFEST)) as folder:
        pq.write_table(store.table.drop_columns(["shard", "place"]), folder / images.TABLE)
    with pytest.raises(ArtifactError, match="packed by an earlier version"):
        ImageStore.open(target)


@pytest.mark.parametrize("columns", [[], ["sha256"]])
def test_store_of_some_columns_has_the_same_pictures(
    raw: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str]
):
    monkeypatch.setattr(images, "SHARD_SIZE", 2)
    for colour in ("red", "green", "blue"):
        save(raw / f"{colour}.png", colour)
    _, _, whole = pack(raw, ["red.png", "green.png", "blue.png"])
    store = ImageStore.open(raw.parent / "packed", columns=columns)
    assert store.table.column_names == ["shard", "place", *columns]
    assert store.table.equals(whole.table.select(store.table.column_names))
    assert len(store) == 3
    assert np.array_equal(store.read(np.array([2, 0, 1])), whole.read(np.array([2, 0, 1])))
