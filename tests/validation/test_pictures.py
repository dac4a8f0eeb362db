"""Pictures that are blank and pictures that look the same."""

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from smar.data.images import ImageStore
from smar.validation import looks as grouping
from smar.validation import pictures as module
from smar.validation.looks import Thumbnails, group_looks, projected
from smar.validation.pictures import read_picture_facts


def store_of(pictures: list[np.ndarray]) -> ImageStore:
    table = pa.table({"shard": ["all"] * len(pictures), "place": range(len(pictures))})
    array = np.array(pictures, np.uint8).reshape(-1, 40, 32, 3)
    return ImageStore({"all": array}, table, 40, 32)


def photograph(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8))
    return np.asarray(small.resize((32, 40), Image.Resampling.BICUBIC))


def saved_again(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_picture_saved_again_looks_the_same_and_another_does_not():
    pictures = [photograph(1), photograph(2), saved_again(photograph(1), 90), photograph(3)]
    facts = read_picture_facts(store_of(pictures), 2.0, 2.0)
    assert facts.look[0] == facts.look[2]
    assert len(set(facts.look)) == 3


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_picture_of_one_colour_is_blank(colour: int):
    plain = np.full((40, 32, 3), colour)
    noisy = np.clip(plain + np.random.default_rng(0).integers(-1, 2, plain.shape), 0, 255)
    facts = read_picture_facts(store_of([plain, noisy, photograph(1)]), 2.0, 2.0)
    assert facts.blank.tolist() == [True, True, False]


@pytest.mark.parametrize(("height", "width"), [(40, 32), (83, 61), (1024, 9)])
def test_thumbnails_are_means_of_blocks_and_deviations_those_of_the_pixels(height: int, width: int):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    pixels[0] = 255
    rows, columns = (
        [*np.linspace(0, side, 8, endpoint=False).astype(int), side] for side in (height, width)
    )
    blocks = [
        [pixels[:, top:bottom, left:right].mean(axis=(1, 2)) for left, right in pairwise(columns)]
        for top, bottom in pairwise(rows)
    ]
    expected = np.array(blocks).transpose(2, 0, 1, 3).reshape(3, -1)
    assert module._thumbnails(pixels) == pytest.approx(expected, rel=1e-6)
    deviation = pixels.std(axis=(1, 2)).max(axis=1)
    assert module._deviation(pixels) == pytest.approx(deviation, rel=1e-9, abs=1e-9)


def test_no_pictures_have_no_facts():
    assert len(read_picture_facts(store_of([]), 2.0, 2.0)) == 0


def grouped(thumbnails: np.ndarray, same_below: float) -> np.ndarray:
    """Return the groups of thumbnails in memory."""
    numbers = thumbnails.shape[1]
    return group_looks(projected(thumbnails), lambda rows: thumbnails[rows], numbers, same_below)


def test_projections_do_not_depend_on_what_lies_beside():
    thumbnails = np.random.default_rng(1).uniform(0, 255, (300, 192)).astype(np.float32)
    whole = projected(thumbnails)
    assert np.array_equal(np.concatenate([projected(t[None]) for t in thumbnails]), whole)
    assert np.array_equal(projected(thumbnails[::-1][:77]), whole[::-1][:77])


def test_groups_are_those_of_comparing_all_with_all():
    rng = np.random.default_rng(3)
    centres = rng.uniform(0, 255, (40, 192))
    thumbnails = np.repeat(centres, 3, axis=0) + rng.normal(0, 0.5, (120, 192))
    thumbnails = rng.permutation(thumbnails).astype(np.float32)
    gap = thumbnails[:, None] - thumbnails[None]
    same = np.sqrt((gap**2).mean(axis=2)) < 2.0
    looks = grouped(thumbnails, 2.0)
    assert np.array_equal(looks[:, None] == looks[None], same)


@pytest.mark.parametrize("spread", [0.02, 1.4, 2.0, 3.0, 60.0])
def test_pairs_that_projections_tell_apart_are_not_compared(
    spread: float, monkeypatch: pytest.MonkeyPatch
):
    """Differences around the bound of 2, and far from it."""
    rng = np.random.default_rng(4)
    centres = rng.uniform(0, 255, (100, 192))
    thumbnails = np.repeat(centres, 6, axis=0) + rng.normal(0, spread, (600, 192)) / 2**0.5
    thumbnails = np.clip(rng.permutation(thumbnails), 0, 255).astype(np.float32)
    compared: list[int] = []
    difference = grouping._difference

    def counted(some: Thumbnails, one: np.ndarray, other: np.ndarray, of: int) -> np.ndarray:
        compared.append(len(one))
        return difference(some, one, other, of)

    monkeypatch.setattr(grouping, "_difference", counted)
    looks, few = grouped(thumbnails, 2.0), sum(compared)
    monkeypatch.setattr(grouping, "_furthest", lambda *_: np.full(grouping.AXES, np.inf))
    assert np.array_equal(looks, grouped(thumbnails, 2.0))
    assert few < (sum(compared) - few) * (0.01 if spread == 60 else 1)


def shards_of(pictures: list[np.ndarray], order: list[int]) -> ImageStore:
    """Return a store of two shards of four places, whose pictures are those places in an order."""
    shards = {
        name: np.stack(pictures[at : at + 4]) for name, at in (("s-a.npy", 0), ("s-b.npy", 4))
    }
    names = ["s-a.npy" if place < 4 else "s-b.npy" for place in order]
    return ImageStore(shards, pa.table({"shard": names, "place": [p % 4 for p in order]}), 40, 32)


def test_what_shards_look_like_is_kept_and_damage_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[int] = []
    look_at = module._look_at
    monkeypatch.setattr(module, "_look_at", lambda p: (seen.append(len(p)), look_at(p))[1])
    pictures = [photograph(seed) for seed in range(6)] + [photograph(2), np.full((40, 32, 3), 7)]
    order = [7, 2, 6, 0, 4]
    alone = read_picture_facts(shards_of(pictures, order), 2.0, 2.0)
    assert alone.blank.tolist() == [True, False, False, False, False]
    assert alone.look[1] == alone.look[2]
    for run in range(4):
        seen.clear()
        for facts_of_all in tmp_path.glob("*.facts"):
            facts_of_all.unlink()
        kept = sorted(tmp_path.glob("*.looks"))
        if run == 2:
            kept[0].write_bytes(kept[0].read_bytes().replace(b"\x40", b"\x41"))
            kept[1].with_name("s-gone-0.looks").write_bytes(b"")
        facts = read_picture_facts(shards_of(pictures, order), 2.0, 2.0, tmp_path)
        assert np.array_equal(facts.blank, alone.blank)
        assert np.array_equal(facts.look, alone.look)
        assert seen == ([4, 4], [], [4], [])[run]
        assert len(list(tmp_path.glob("*.looks"))) == 2
        assert len(list(tmp_path.glob("*.views"))) == 2


def test_thumbnails_are_opened_where_pictures_may_look_the_same_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened: list[str] = []
    read = module._opened
    monkeypatch.setattr(module, "_opened", lambda file: (opened.append(file.suffix), read(file))[1])
    pictures = [photograph(seed) for seed in range(7)] + [photograph(5)]
    read_picture_facts(shards_of(pictures, [0, 1, 4, 5]), 2.0, 2.0, tmp_path)
    for order, expected in (([1, 0, 4, 5], 0), ([0, 5, 4, 7], 1)):
        opened.clear()
        facts = read_picture_facts(shards_of(pictures, order), 2.0, 2.0, tmp_path)
        assert opened.count(".views") == 2
        assert opened.count(".looks") == expected
        assert (facts.look[1] == facts.look[3]) == (expected == 1)


def test_facts_of_the_same_pictures_are_kept_and_damage_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compared: list[int] = []
    group = module.group_looks
    monkeypatch.setattr(
        module, "group_looks", lambda *told: (compared.append(len(told[0])), group(*told))[1]
    )
    pictures = [photograph(seed) for seed in range(6)] + [photograph(2), np.full((40, 32, 3), 7)]
    asked = [
        ([7, 2, 6, 0, 4], 2.0, True), ([7, 2, 6, 0, 4], 2.0, False), ([2, 7, 6, 0, 4], 2.0, True),
        ([2, 7, 6, 0, 4], 0.001, True), ([2, 7, 6, 0, 4], 0.001, False),
    ]  # fmt: skip
    for order, bound, is_new in asked:
        compared.clear()
        facts = read_picture_facts(shards_of(pictures, order), 2.0, bound, tmp_path)
        alone = read_picture_facts(shards_of(pictures, order), 2.0, bound)
        assert np.array_equal(facts.blank, alone.blank)
        assert np.array_equal(facts.look, alone.look)
        assert len(compared) == 1 + is_new
        assert len(list(tmp_path.glob("*.facts"))) == 1
    (kept,) = tmp_path.glob("*.facts")
    for content in (kept.read_bytes()[:-1] + b"?", kept.read_bytes()[:40], b""):
        kept.write_bytes(content)
        again = read_picture_facts(shards_of(pictures, order), 2.0, bound, tmp_path)
        assert np.array_equal(again.look, alone.look)
