"""Links to files: escapes, endings, case, linked folders, what was downloaded; nothing outside."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from smar.params import ImageStoreParams
from smar.sources.decoded_pictures import Stamp
from smar.sources.picture_files import (
    FACTS,
    UNKNOWN,
    PictureFolder,
    PictureMissingError,
    fetched_file,
)
from smar.sources.pictures import PictureFile, drop_placeholders, pack_images
from smar.sources.quarantine import Quarantine


def read(folder: PictureFolder, link: str, *, any_ending: bool) -> bytes:
    return folder.content(folder.find(link, any_ending=any_ending))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop" / "p").mkdir(parents=True)
    (tmp_path / "shop" / "p" / "red pan.JPG").write_bytes(b"pan")
    (tmp_path / "shop" / "p" / "50%.png").write_bytes(b"half")
    return tmp_path / "shop"


@pytest.mark.parametrize(
    ("link", "content"),
    [
        ("p/red pan.JPG", b"pan"),
        ("p/red%20pan.JPG?v=1#x", b"pan"),
        ("p/Red Pan.jpg", b"pan"),
        ("p\\red pan.JPG", b"pan"),
        ("p/50%.png", b"half"),
        ("./p//50%.png", b"half"),
    ],
)
def test_file_is_found(shop: Path, link: str, content: bytes):
    assert read(PictureFolder.open(shop), link, any_ending=False) == content


def test_other_endings_are_tried_for_templates_alone(shop: Path):
    folder = PictureFolder.open(shop)
    assert read(folder, "p/50%.jpg", any_ending=True) == b"half"
    assert read(folder, "p/50%", any_ending=True) == b"half"
    with pytest.raises(PictureMissingError, match="file is missing"):
        read(folder, "p/50%.jpg", any_ending=False)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("../secret.jpg", "leaves the feed's folder"),
        ("p/%2e%2e/%2e%2e/secret.jpg", "leaves the feed's folder"),
        ("/etc/passwd", "leaves the feed's folder"),
        ("/main.jpg", "leaves the feed's folder"),
        ("linked/a.jpg", "leaves the feed's folder"),
        ("https://shop.example/a.jpg", "is a URL; only files are read"),
        ("//shop.example/a.jpg", "is a URL"),
        ("DATA:image/png;base64,AA", "is a URL"),
        ("p/none.jpg", "file is missing"),
        ("p", "file is missing"),
        ("p/\x00.jpg", "file cannot be read"),
        ("p/" + "x" * 5000, "file cannot be read"),
    ],
)
def test_what_is_not_read_has_a_reason(shop: Path, link: str, reason: str):
    (shop.parent / "secret.jpg").write_bytes(b"secret")
    (shop / "main.jpg").write_bytes(b"main")
    (shop.parent / "elsewhere").mkdir()
    (shop.parent / "elsewhere" / "a.jpg").write_bytes(b"linked")
    (shop / "linked").symlink_to(shop.parent / "elsewhere")
    with pytest.raises(PictureMissingError) as error:
        read(PictureFolder.open(shop), link, any_ending=False)
    assert reason in str(error.value)


def test_linked_folder_is_read_if_it_is_allowed(shop: Path):
    elsewhere = shop.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").write_bytes(b"linked")
    (shop / "linked").symlink_to(elsewhere)
    folder = PictureFolder.open(shop, [str(elsewhere)])
    assert read(folder, "linked/a.jpg", any_ending=False) == b"linked"


@pytest.mark.parametrize("allowed", [False, True])
def test_file_that_a_link_names_as_it_stands_is_the_one_that_is_found(shop: Path, allowed: bool):
    elsewhere = shop.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").write_bytes(b"linked")
    (shop / "linked").symlink_to(elsewhere)
    (shop / "p" / "alias.png").symlink_to(shop / "p" / "50%.png")
    (shop / "p" / "out.jpg").symlink_to(elsewhere / "a.jpg")
    (shop / "main.jpg").write_bytes(b"main")
    folder = PictureFolder.open(shop, [str(elsewhere)] if allowed else [])
    plain = {"p/red pan.JPG", "p/50%.png", "./p//50%.png", "main.jpg"}
    others = {
        "p/Red Pan.jpg", "p/alias.png", "p/out.jpg", "../elsewhere/a.jpg", "p/../main.jpg", "p", "",
        "p/", ".", "/main.jpg", "//main.jpg", str(elsewhere / "a.jpg"), "p/none.jpg", "none/a.jpg",
        "p/\x00.jpg",
    }  # fmt: skip
    links = [*plain, *others, "linked/a.jpg"]
    for link, facts in zip(links, folder.facts_of(pa.array(links)).tolist(), strict=True):
        is_told = facts != [UNKNOWN] * FACTS
        assert is_told == (link in plain or (allowed and link == "linked/a.jpg")), link
        if is_told:
            assert facts == [*Stamp.of(folder.find(link, any_ending=False)).facts]


def test_facts_of_a_url_are_those_of_the_file_that_was_fetched(shop: Path):
    fetched = {"https://x.example/a.png": "p/50%.png", "https://x.example/b.png": ""}
    links = pa.array([*fetched, "https://x.example/c.png", "file://p/50%.png", "p/50%.png"])
    facts = PictureFolder(shop, fetched=fetched).facts_of(links)
    for place in (0, 4):
        assert facts[place].tolist() == [*Stamp.of(shop / "p" / "50%.png").facts]
    assert (facts[1:4] == UNKNOWN).all()
    assert PictureFolder(shop).facts_of(pa.array([], pa.string())).shape == (0, FACTS)


def test_downloaded_pictures_stand_for_their_urls(shop: Path):
    url, bad = "https://shop.example/a.jpg?v=2", "https://shop.example/b.jpg"
    file = fetched_file(url, ".jpg")
    (shop / file).parent.mkdir(parents=True)
    (shop / file).write_bytes(b"fetched")
    lines = ["url\tfile\tsha256\tbytes\tproblem", f"{url}\t{file}\tx\t7\t", f"{bad}\t\t\t\tis 404"]
    (shop / "fetched_pictures" / "pictures.tsv").write_text("\n".join(lines))
    folder = PictureFolder.open(shop)
    assert read(folder, url, any_ending=False) == b"fetched"
    with pytest.raises(PictureMissingError, match="could not be downloaded"):
        read(folder, bad, any_ending=False)


def pack(folder: Path, files: list[PictureFile]) -> tuple[list[int], Quarantine]:
    quarantine = Quarantine()
    params = ImageStoreParams(height=16, width=16, max_pixels=10**6)
    (folder / "out").mkdir()
    return pack_images(folder, files, folder / "out", params, quarantine)[0], quarantine


def test_further_pictures_never_stop_the_work_and_main_ones_do(tmp_path: Path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    files = [
        PictureFile("1", 1, "a.png"),
        PictureFile("1", 1, "http://x.example/b.png", is_main=False),
        PictureFile("2", 2, "none.png"),
    ]
    ids, quarantine = pack(tmp_path, files)
    assert ids == [0, -1, -1]
    assert quarantine.totals == {"pictures": 2}
    assert list(quarantine.frame()["source"]) == ["further pictures", "pictures"]


def test_picture_cut_short_is_used_and_marked(tmp_path: Path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "a.jpg", quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) * 3 // 4])
    ids, quarantine = pack(tmp_path, [PictureFile("1", 1, "a.jpg")])
    assert ids == [0]
    assert quarantine.counts() == {"pictures marked: is cut short; what is there is used": 1}


def items(count: int, **columns: list[str]) -> pd.DataFrame:
    texts = [str(number) for number in range(count)]
    defaults = {"title": texts, "brand": texts, "category": ["c"] * count, "group_id": [""] * count}
    return pd.DataFrame({"item_id": texts, **defaults, **columns})


@pytest.mark.parametrize(
    ("columns", "min_items", "dropped"),
    [
        ({}, 5, True),
        ({}, 0, False),
        ({}, 7, False),
        ({"brand": ["b"] * 6}, 5, False),  # one kind of thing: variants without a group
        ({"group_id": ["g"] * 6}, 5, False),
        ({"title": ["t"] * 6}, 5, False),
    ],
)
def test_picture_of_many_different_items_is_a_placeholder(
    columns: dict[str, list[str]], min_items: int, dropped: bool
):
    files = [PictureFile(str(number), number, "none.png") for number in range(6)]
    quarantine = Quarantine()
    ids = drop_placeholders(files, [3] * 6, items(6, **columns), min_items, quarantine)
    assert ids == ([-1] * 6 if dropped else [3] * 6)
    assert bool(quarantine.counts()) == dropped


def test_accent_may_be_written_as_a_character_of_its_own(shop: Path):
    (shop / "p" / "caf\u00e9.png").write_bytes(b"cup")
    folder = PictureFolder.open(shop)
    assert read(folder, "p/cafe\u0301.png", any_ending=False) == b"cup"
    assert read(folder, "p/Caf%C3%A9.PNG", any_ending=False) == b"cup"
