"""A changed shop: what ingest makes of it does not depend on what it had decoded before."""

import gzip
import os
import random
import re
import shutil
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from benchmarks.scale import write_params
from benchmarks.scale_shop import change_shop, write_shop
from smar import artifacts
from smar.data import schema
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.paths import Paths
from smar.stages.ingest import run
from smar.stages.validate import run as validate
from smar.verified import YOUNG_NS, tell_hashed

SIZE = 130


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A project that read a shop, and read it again after it changed."""
    root = tmp_path / "grown"
    write_params(tmp_path, pictures=True)
    root.mkdir()
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["ingest"]["images"] |= {"height": 16, "width": 16}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    write_shop(root / "data" / "raw", SIZE, 7)
    run(root)
    change_shop(root / "data" / "raw", SIZE, 7)
    (root / "data" / "raw" / "images" / "0" / "p0000005.jpg").unlink()
    return root


def outputs(root: Path) -> dict[str, str]:
    """Return what ingest wrote, but for the picture store."""
    return {
        str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "reports", "metrics")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
        and not path.is_relative_to(root / "data" / "raw")
        and not path.is_relative_to(Paths(root).images)
    }


@pytest.mark.whole
def test_changed_shop_gives_the_bytes_of_a_first_run(grown: Path, tmp_path: Path):
    fresh = tmp_path / "fresh"
    shutil.copytree(grown, fresh, ignore=shutil.ignore_patterns(".smar", "items.parquet"))
    shutil.rmtree(Paths(fresh).images)
    shards = {path.name for path in Paths(grown).images.glob("*.npy")}
    for root in (grown, fresh):
        run(root)
    assert outputs(grown) == outputs(fresh)
    assert shards < {path.name for path in Paths(grown).images.glob("*.npy")}
    items = schema.read_table(Paths(grown).ingested("items"), schema.ITEMS)
    ids = np.concatenate(items["image_ids"].to_list())
    assert len(ids) == SIZE - 1
    pixels = [ImageStore.open(Paths(root).images).read(ids) for root in (grown, fresh)]
    assert np.array_equal(*pixels)


def edit(raw: Path, rng: random.Random) -> None:
    """Change a shop's files in one of the ways that shops do."""
    feed = raw / "products.csv"
    header, *rows = feed.read_text().splitlines()
    days = sorted((raw / "log").glob("events-*"))
    pictures = sorted((raw / "images").rglob("*.jpg"))
    kinds = [
        "title", "price", "new", "drop", "order", "twice", "picture", "linked picture", "no day",
        "part of a day", "late click",
    ]  # fmt: skip
    match rng.choice(kinds):
        case "price":
            at = rng.randrange(len(rows))
            rows[at] = re.sub(
                r",\d+\.\d\d EUR,", rng.choice([",1.234 EUR,", ",much,", ",,"]), rows[at]
            )
        case "new":
            rows.insert(rng.randrange(len(rows)), rng.choice(rows).replace("p0", "n&amp;0", 1))
        case "linked picture":
            one, other = rng.sample(pictures, 2)
            one.unlink()
            one.symlink_to(other)
        case "late click":
            one, other = rng.sample(days, 2)
            late = gzip.decompress(one.read_bytes()).splitlines(keepends=True)[:1]
            content = gzip.decompress(other.read_bytes())
            other.write_bytes(gzip.compress(content + b"".join(late), mtime=0))
        case "title":
            at = rng.randrange(len(rows))
            rows[at] = rows[at].replace(",", ",Other ", 1)
        case "drop":
            del rows[rng.randrange(len(rows))]
        case "order":
            rng.shuffle(rows)
        case "twice":
            rows.append(rng.choice(rows))
        case "picture":
            rng.choice(pictures).write_bytes(rng.choice(pictures).read_bytes())
        case "no day":
            rng.choice(days).unlink()
        case _:
            day = rng.choice(days)
            lines = gzip.decompress(day.read_bytes()).splitlines(keepends=True)
            day.write_bytes(gzip.compress(b"".join(lines[: len(lines) // 2]), mtime=0))
    feed.write_text("\n".join([header, *rows, ""]))


@pytest.mark.whole
def test_changed_shop_is_validated_as_if_nothing_were_kept(grown: Path, tmp_path: Path):
    validate(grown)
    rng = random.Random(5)
    for step in range(2):
        for _ in range(3):
            edit(grown / "data" / "raw", rng)
        run(grown)
        fresh = tmp_path / f"fresh-{step}"
        shutil.copytree(grown, fresh)
        for kept in ("pictures", "facts"):
            shutil.rmtree(fresh / ".smar" / "validation" / kept)
        for root in (grown, fresh):
            validate(root)
        assert outputs(grown) == outputs(fresh)
        assert {"pictures", "facts"} <= {
            path.name for path in (fresh / ".smar" / "validation").iterdir()
        }


@pytest.mark.whole
def test_same_files_are_validated_as_the_first_time_with_rows_left_out(grown: Path):
    run(grown)
    paths = Paths(grown)
    for name, column, changed in (("searches", "search_id", None), ("engagements", "position", 0)):
        table = schema.read_arrow(paths.ingested(name))
        values = table[column].to_pylist()
        values[3] = values[2] if changed is None else changed
        field = table.schema.field(column)
        place, made = table.column_names.index(column), pa.array(values, field.type)
        schema.write_arrow(paths.ingested(name), table.set_column(place, field, made))
    told = []
    for kept in (True, True, False):
        if not kept:
            shutil.rmtree(grown / ".smar" / "validation" / "facts")
        validate(grown)
        told.append(outputs(grown))
    assert told[0] == told[1] == told[2]
    left_out = schema.read_arrow(paths.validation_report / "quarantine.parquet").to_pylist()
    assert {row["rule"] for row in left_out} >= {"searches.id_unique", "engagements.position_range"}
    assert all(row["key"] for row in left_out)


def test_same_files_are_not_read_where_nothing_of_them_is_asked(
    grown: Path, monkeypatch: pytest.MonkeyPatch
):
    run(grown)
    validate(grown)
    asked: list[str] = []
    column = schema.StoredTable.__getitem__

    def spy(table: schema.StoredTable, name: str) -> pa.ChunkedArray:
        asked.append(name)
        return column(table, name)

    monkeypatch.setattr(schema.StoredTable, "__getitem__", spy)
    monkeypatch.setattr(schema.StoredTable, "whole", None)
    validate(grown)
    assert sorted(asked) == ["item_id", "place", "shard"]


@pytest.mark.whole
@pytest.mark.parametrize("seed", range(3))
def test_any_edits_give_the_bytes_of_a_first_run(grown: Path, tmp_path: Path, seed: int):
    rng = random.Random(seed)
    for step in range(3):
        for _ in range(rng.randint(1, 3)):
            edit(grown / "data" / "raw", rng)
        fresh = tmp_path / f"fresh-{step}"
        shutil.copytree(grown, fresh, ignore=shutil.ignore_patterns(".smar", "images.parquet"))
        shutil.rmtree(Paths(fresh).images, ignore_errors=True)
        for root in (grown, fresh):
            run(root)
        assert outputs(grown) == outputs(fresh)
        ids = np.arange(len(ImageStore.open(Paths(grown).images)))
        pixels = [ImageStore.open(Paths(root).images).read(ids) for root in (grown, fresh)]
        assert np.array_equal(*pixels)


@pytest.mark.whole
def test_pictures_that_nobody_wrote_to_are_hashed_once(
    grown: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    paths = Paths(grown)
    past = time.time_ns() - 10 * YOUNG_NS
    for shard in paths.images.glob("*.npy"):
        os.utime(shard, ns=(past, past))
    (record,) = (paths.work / "pictures").glob("*.json")
    tell_hashed(record, paths.images.glob("*.npy"))
    seen: list[str] = []
    hashed = artifacts.digest
    monkeypatch.setattr(artifacts, "digest", lambda file: (seen.append(file.name), hashed(file))[1])
    ImageStore.of(paths)
    assert seen == ["images.parquet"]
    shard = next(paths.images.glob("*.npy"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"the content of {shard.name} is not what was written"):
        ImageStore.of(paths)
    record.write_text("{")
    with pytest.raises(ArtifactError, match="not what was written"):
        ImageStore.of(paths)
    assert "pictures are hashed again" in caplog.text
