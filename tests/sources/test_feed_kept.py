"""A feed and a log that are as they were are not read again, and tables are what they were."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.scale import write_params
from benchmarks.scale_shop import LAST_DAY, make_catalogue, write_day, write_shop
from smar.data import schema
from smar.params import IngestParams, load_params
from smar.sources import feed_kept, folder, joined_kept
from smar.sources.folder import Tables, read_source

SIZE = 60


@pytest.fixture
def params(tmp_path: Path) -> IngestParams:
    """The settings of a made-up shop in `tmp_path / "raw"`."""
    write_params(tmp_path, pictures=False)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    write_shop(tmp_path / "raw", SIZE, 7, pictures=False)
    feed = tmp_path / "raw" / "products.csv"
    feed.write_text(feed.read_text().replace(" EUR,", " much,", 1))  # something is left out
    return load_params(tmp_path / "params.yaml").ingest


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what grows by the name of each reader that is called."""
    seen: list[str] = []
    for module, name in (
        (feed_kept, "read_feed"),
        (joined_kept, "grown"),
        (joined_kept, "joined_whole"),
        (folder, "_with_pictures"),
        (folder, "query_table"),
    ):
        read = getattr(module, name)

        def spy(*args: object, read: object = read, name: str = name) -> object:
            seen.append(name)
            return read(*args)  # type: ignore[operator]

        spy.__module__ = read.__module__
        monkeypatch.setattr(module, name, spy)
    return seen


def read(tmp_path: Path, params: IngestParams, *, kept: bool = True) -> Tables:
    target = tmp_path / f"images-{np.random.default_rng().integers(10**9)}"
    target.mkdir()
    work = tmp_path / "work" if kept else None
    return read_source(tmp_path / "raw", params, 7, target, kept=work)


def written(tmp_path: Path, tables: Tables) -> list[bytes]:
    """Return all that ingest would write of tables."""
    file = tmp_path / "table.parquet"
    content = []
    for name in schema.TABLES:
        getattr(tables, name).write(file)
        content.append(file.read_bytes())
    told = repr((tables.log.details(), tables.quarantine.counts(), tables.quarantine.totals))
    return [*content, told.encode(), tables.quarantine.frame().to_json().encode()]


def same(tmp_path: Path, params: IngestParams) -> bool:
    one, other = (read(tmp_path, params, kept=kept) for kept in (True, False))
    return written(tmp_path, one) == written(tmp_path, other)


def test_what_did_not_change_is_not_read_and_is_the_same(
    tmp_path: Path, params: IngestParams, reads: list[str]
):
    first = written(tmp_path, read(tmp_path, params))
    assert reads == ["read_feed", "joined_whole", "_with_pictures", "query_table"]
    reads.clear()
    again = read(tmp_path, params)
    assert reads == []
    assert written(tmp_path, again) == first
    assert first == written(tmp_path, read(tmp_path, params, kept=False))


def test_only_what_changed_is_read(tmp_path: Path, params: IngestParams, reads: list[str]):
    feed = tmp_path / "raw" / "products.csv"
    read(tmp_path, params)
    shop, day = make_catalogue(SIZE, 7), LAST_DAY + pd.Timedelta(days=1).to_pytimedelta()
    of_feed, of_log = ["read_feed", "_with_pictures"], ["joined_whole", "query_table"]
    changes = {
        "a title": (
            lambda: feed.write_text(feed.read_text().replace("Ready", "Not ready", 3)), of_feed
        ),
        "a day": (
            lambda: write_day(tmp_path / "raw", shop, day, 9, 7), ["grown", "query_table"]
        ),
        "an item goes": (
            lambda: feed.write_text("\n".join(feed.read_text().splitlines()[:-1])),
            ["read_feed", "joined_whole", "_with_pictures", "query_table"],
        ),
        "a day goes": (
            (tmp_path / "raw" / "log" / f"events-{day}.ndjson.gz").unlink, of_log
        ),
    }  # fmt: skip
    for name, (change, expected) in changes.items():
        change()
        reads.clear()
        read(tmp_path, params)
        assert reads == expected, name
        assert same(tmp_path, params)
    for kept, count in (("feed", 1), ("joined", 1), ("tables", 4)):
        assert len(list((tmp_path / "work" / kept).iterdir())) == count


@pytest.mark.parametrize("folder", ["feed", "joined"])
def test_damage_costs_time_alone(
    tmp_path: Path, params: IngestParams, reads: list[str], folder: str
):
    read(tmp_path, params)
    (kept,) = (tmp_path / "work" / folder).iterdir()
    whole = kept.read_bytes()
    half = kept.with_name(f".{kept.name}.tmp-1")  # of a run that was killed
    for content in (whole[:-1] + b"?", whole[: len(whole) // 2], b""):
        kept.write_bytes(content)
        half.write_bytes(content)
        reads.clear()
        read(tmp_path, params)
        assert reads == [{"feed": "read_feed", "joined": "joined_whole"}[folder]]
        assert same(tmp_path, params)
    assert kept.read_bytes() == whole
    assert not half.exists()


@pytest.mark.parametrize("table", ["items", "queries", "searches", "engagements"])
def test_table_that_somebody_wrote_to_is_made_anew(
    tmp_path: Path, params: IngestParams, reads: list[str], table: str
):
    tables = read(tmp_path, params)
    place = tmp_path / f"{table}.parquet"
    getattr(tables, table).write(place)
    (kept,) = (tmp_path / "work" / "tables").glob(f"{table}-*")
    assert kept.samefile(place)  # a link, which takes no room
    whole = place.read_bytes()
    place.write_bytes(whole[:-9] + b"?" + whole[-8:])
    made = {"items": "_with_pictures", "queries": "query_table"}.get(table, "joined_whole")
    reads.clear()
    again = read(tmp_path, params)
    assert reads == [made]
    assert written(tmp_path, again) == written(tmp_path, read(tmp_path, params, kept=False))


def test_other_code_and_settings_read_again(
    tmp_path: Path, params: IngestParams, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    read(tmp_path, params)
    reads.clear()
    read(
        tmp_path,
        params.model_copy(update={"log": params.log.model_copy(update={"dates": "day_first"})}),
    )
    assert reads == ["joined_whole", "query_table"]
    for module in (feed_kept, joined_kept):
        monkeypatch.setattr(module, "code_key", lambda *_, **__: "of other code")
    reads.clear()
    read(tmp_path, params)
    assert reads == ["read_feed", "joined_whole", "_with_pictures", "query_table"]
