"""A feed and a log that are as they were are not read again, and say what they said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from benchmarks.scale import write_params
from benchmarks.scale_shop import LAST_DAY, make_catalogue, write_day, write_shop
from smar.data import schema
from smar.params import IngestParams, load_params
from smar.sources import source_kept
from smar.sources.folder import Tables, read_source
from smar.sources.kept_tables import read_tables, write_tables
from smar.sources.quarantine import Quarantine

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
    for name in ("read_feed", "read_log"):
        read = getattr(source_kept, name)

        def spy(*args: object, read: object = read, name: str = name) -> object:
            seen.append(name)
            return read(*args)  # type: ignore[operator]

        spy.__module__ = read.__module__
        monkeypatch.setattr(source_kept, name, spy)
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
    for name, columns in schema.TABLES.items():
        schema.write_table(file, getattr(tables, name), columns)
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
    assert reads == ["read_feed", "read_log"]
    reads.clear()
    again = read(tmp_path, params)
    assert reads == []
    assert written(tmp_path, again) == first
    assert first == written(tmp_path, read(tmp_path, params, kept=False))


def test_only_what_changed_is_read(tmp_path: Path, params: IngestParams, reads: list[str]):
    feed = tmp_path / "raw" / "products.csv"
    read(tmp_path, params)
    shop, day = make_catalogue(SIZE, 7), LAST_DAY + pd.Timedelta(days=1).to_pytimedelta()
    changes = {
        "a title": (
            lambda: feed.write_text(feed.read_text().replace("Ready", "Not ready", 3)), ["feed"]
        ),
        "a day": (lambda: write_day(tmp_path / "raw", shop, day, 9, 7), ["log"]),
        "an item goes": (
            lambda: feed.write_text("\n".join(feed.read_text().splitlines()[:-1])), ["feed", "log"]
        ),
        "a day goes": (
            (tmp_path / "raw" / "log" / f"events-{day}.ndjson.gz").unlink, ["log"]
        ),
    }  # fmt: skip
    for name, (change, expected) in changes.items():
        change()
        reads.clear()
        read(tmp_path, params)
        assert reads == [f"read_{what}" for what in expected], name
        assert same(tmp_path, params)
    for folder in ("feed", "joined"):
        assert len(list((tmp_path / "work" / folder).iterdir())) == 1


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
        assert len(reads) == 1
        assert same(tmp_path, params)
    assert kept.read_bytes() == whole
    assert not half.exists()


def test_other_code_and_settings_read_again(
    tmp_path: Path, params: IngestParams, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    read(tmp_path, params)
    reads.clear()
    read(
        tmp_path,
        params.model_copy(update={"log": params.log.model_copy(update={"dates": "day_first"})}),
    )
    assert reads == ["read_log"]
    monkeypatch.setattr(source_kept, "code_key", lambda *_, **__: "of other code")
    reads.clear()
    read(tmp_path, params)
    assert reads == ["read_feed", "read_log"]


def test_columns_come_back_in_their_pieces(tmp_path: Path):
    pieces = {"a": [2, 1, 3], "b": [6], "c": [1, 5]}
    columns = {
        name: pa.chunked_array([["x"] * size for size in sizes]) for name, sizes in pieces.items()
    }
    tables = [pa.table(columns), pa.table({"n": pa.chunked_array([[1], [2, 3]])})]
    write_tables(tmp_path / "kept", tables, Quarantine(), {})
    found = read_tables(tmp_path / "kept", 2)
    assert found is not None
    for table, kept in zip(tables, found.tables, strict=True):
        assert kept.equals(table)
        for name in table.column_names:
            assert [*map(len, kept[name].chunks)] == [*map(len, table[name].chunks)]
