"""What came out of a stage, read from its artefacts, whether it ran or came from DVC's cache."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_dvc.charts import as_markdown, line_chart
from dagster_dvc.checks import numbers
from dagster_dvc.manifest import Lock, Manifest, Stage
from dagster_dvc.paths import overlaps

Reader = Callable[[Path, Stage], Mapping[str, Any]]
_MOST_METRICS = 60
_MOST_TABLES = 6
_ROWS_SHOWN = 8
_CELL = 60
_MOST_PICTURE_BYTES = 200_000
_MIMES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def stage_metadata(
    manifest: Manifest,
    stage: Stage,
    readers: Sequence[Reader] = (),
    reports_url: str = "",
) -> dict[str, Any]:
    """Return everything worth a look about a stage's outputs.

    Args:
        manifest: The repository, read after the stage ran.
        stage: The stage; it has a lock entry.
        readers: Called with the root and the stage for what only the project can read.
        reports_url: Where the root folder is served, for links to HTML pages; "" shows their paths.
    """
    root = manifest.root
    # Dagster keeps this order: what people look at comes before long lists of numbers.
    shown: dict[str, Any] = dict(_pages(root, stage, reports_url))
    read: dict[str, Any] = {}
    for reader in readers:
        read |= reader(root, stage)
    figures = {name: value for name, value in read.items() if isinstance(value, int | float)}
    shown |= {name: value for name, value in read.items() if name not in figures}
    shown |= dict(_charts(manifest, stage))
    shown |= dict(_pictures(root, stage))
    shown |= figures
    shown |= dict(_metrics(root, stage))
    shown |= dict(_tables(root, stage))
    if stage.lock:
        shown["outputs"] = _outputs(stage, stage.lock)
        shown["size"] = sum(out.size or 0 for out in stage.lock.outs.values())
    return shown


def _outputs(stage: Stage, lock: Lock) -> dg.TableMetadataValue:
    kinds = {out.path: out.kind for out in stage.outs}
    records = [
        dg.TableRecord(
            {
                "path": path,
                "kind": kinds.get(path, "data"),
                "bytes": out.size or 0,
                "files": out.num_files or 1,
                "md5": out.md5,
            }
        )
        for path, out in lock.outs.items()
    ]
    types = {"bytes": "int", "files": "int"}
    columns = [
        dg.TableColumn(name, types.get(name, "string"))
        for name in ("path", "kind", "bytes", "files", "md5")
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _metrics(root: Path, stage: Stage) -> Iterator[tuple[str, Any]]:
    """Yield numbers, those near the top of their file first."""
    found: list[tuple[int, str, float | int]] = []
    for out in stage.outs:
        file = root / out.path
        if out.kind == "metric" and file.is_file():
            try:
                content = yaml.safe_load(file.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                yield f"{out.path} cannot be read", str(error)
                continue
            found += numbers(content)
    found.sort(key=lambda entry: entry[0])
    yield from ((name, value) for _, name, value in found[:_MOST_METRICS])


def _tables(root: Path, stage: Stage) -> Iterator[tuple[str, Any]]:
    """Yield row counts of the tables, and the first rows of some."""
    files = [file for out in stage.outs for file in _files(root, out.path)]
    parquet = [file for file in files if file.suffix == ".parquet"]
    rows = 0
    for file in parquet:
        rows += (count := _parquet_rows(file))
        yield f"rows of {file.relative_to(root).as_posix()}", count
    if parquet:
        yield "dagster/row_count", rows
    delimited = [file for file in files if file.suffix in _DELIMITERS]
    for file in [*parquet, *delimited][:_MOST_TABLES]:
        records = _parquet_head(file) if file.suffix == ".parquet" else list(_delimited_head(file))
        if records:
            yield f"first rows of {file.relative_to(root).as_posix()}", _table(records)


def _files(root: Path, path: str) -> list[Path]:
    place = root / path
    if place.is_dir():
        return sorted(file for file in place.iterdir() if file.is_file())
    return [place] if place.is_file() else []


def _parquet_rows(file: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(file).num_rows)


def _parquet_head(file: Path) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        batch = next(table.iter_batches(batch_size=_ROWS_SHOWN), None)
    return [_shortened(row) for row in batch.to_pylist()] if batch is not None else []


def _delimited_head(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter=_DELIMITERS[file.suffix])
        for row in islice(reader, _ROWS_SHOWN):
            yield _shortened({key: value for key, value in row.items() if key is not None})


def _shortened(row: Mapping[str, Any]) -> dict[str, str]:
    texts = {str(key): str(value) for key, value in row.items()}
    return {k: v if len(v) <= _CELL else f"{v[: _CELL - 3]}..." for k, v in texts.items()}


def _table(records: Sequence[Mapping[str, str]]) -> dg.TableMetadataValue:
    columns = [dg.TableColumn(name, "string") for name in records[0]]
    filled = [{column.name: row.get(column.name, "") for column in columns} for row in records]
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(row)) for row in filled], schema=dg.TableSchema(columns)
    )


def _charts(manifest: Manifest, stage: Stage) -> Iterator[tuple[str, Any]]:
    """Yield the line charts that dvc.yaml defines over files of this stage."""
    for name, props in manifest.plots.items():
        by_file = props.get("y") or {}
        by_file = by_file if isinstance(by_file, Mapping) else {name: by_file}
        series: dict[str, list[tuple[float, float]]] = {}
        for path, columns in by_file.items():
            if any(overlaps(path, out.path) for out in stage.outs):
                x = props.get("x", "step")
                wanted = [columns] if isinstance(columns, str) else list(columns)
                series |= _points(manifest.root / path, x if isinstance(x, str) else "step", wanted)
        if series:
            title = str(props.get("title", name))
            svg = line_chart(title, str(props.get("x", "")), str(props.get("y_label", "")), series)
            picture = as_markdown(title, svg.encode(), _MIMES[".svg"])
            yield f"plot {name}", dg.MetadataValue.md(picture)


def _points(file: Path, x: str, columns: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    if not file.is_file():
        return {}
    if file.suffix == ".json":
        rows = json.loads(file.read_text(encoding="utf-8"))
        rows = rows if isinstance(rows, list) else []
    else:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=_DELIMITERS.get(file.suffix, ",")))
    found: dict[str, list[tuple[float, float]]] = {}
    for column in columns:
        points = [(_number(row.get(x)), _number(row.get(column))) for row in rows]
        found[column] = [(a, b) for a, b in points if a is not None and b is not None]
    return found


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _pictures(root: Path, stage: Stage) -> Iterator[tuple[str, Any]]:
    for out in stage.outs:
        for file in _files(root, out.path) if out.kind == "plot" else []:
            mime = _MIMES.get(file.suffix.lower())
            if mime and file.stat().st_size <= _MOST_PICTURE_BYTES:
                name = file.relative_to(root).as_posix()
                markdown = as_markdown(name, file.read_bytes(), mime)
                yield f"plot {name}", dg.MetadataValue.md(markdown)


def _pages(root: Path, stage: Stage, reports_url: str) -> Iterator[tuple[str, Any]]:
    for out in stage.outs:
        place = root / out.path
        page = place / "index.html" if place.is_dir() else place
        if page.suffix == ".html" and page.is_file():
            name = page.relative_to(root).as_posix()
            if reports_url:
                yield f"page {name}", dg.MetadataValue.url(f"{reports_url.rstrip('/')}/{name}")
            else:
                yield f"page {name}", dg.MetadataValue.path(page)
