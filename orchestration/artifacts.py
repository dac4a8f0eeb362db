"""What only smar can tell about its artefacts: rows dropped and why, and the pictures found."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.charts import as_markdown
from dagster_dvc.manifest import Source, Stage
from orchestration.decision import evaluation, promotion
from orchestration.records import read_record
from smar.params import load_params
from smar.paths import Paths
from smar.provenance import origin, provenance
from smar.service.registry import current_version

_QUERIES = 5
_ITEMS = 6
_GAP = 4
_SETS = ("test", "validation", "synthetic")


def smar_metadata(root: Path, stage: Stage) -> dict[str, Any]:
    """Return what decides, where the outputs come from, what was dropped, and example results."""
    shown: dict[str, Any] = _decision(root, stage)
    shown |= _origin(root, stage)
    shown |= dict(_examples(root, stage))
    dropped: dict[str, int] = {}
    for out in stage.outs:
        content = read_record(root / out.path / "manifest.json")
        if content:
            dropped |= {reason: int(count) for reason, count in content["dropped"].items()}
            shown |= {f"{content['kind']}.{k}": v for k, v in content["counts"].items()}
    if dropped:
        shown["dropped rows"] = sum(dropped.values())
        records = [dg.TableRecord({"reason": r, "rows": n}) for r, n in dropped.items()]
        columns = [dg.TableColumn("reason", "string"), dg.TableColumn("rows", "int")]
        schema = dg.TableSchema(columns)
        shown["dropped rows by reason"] = dg.MetadataValue.table(records, schema=schema)
    return shown


def _decision(root: Path, stage: Stage) -> dict[str, Any]:
    if stage.name == "evaluate":
        return evaluation(root, load_params(root / "params.yaml").evaluate.primary)
    return promotion(root) if stage.name == "promote" else {}


def _origin(root: Path, stage: Stage) -> dict[str, Any]:
    """Return commit and processor of the run that made the outputs, and what it timed."""
    known = [
        found
        for out in stage.outs
        if (root / out.path / "manifest.json").is_file()
        and (found := provenance(root, root / out.path))
    ]
    if not known:
        return {}
    made = known[0]
    shown = {"made": f"{made['made']}, commit {made['git_commit'][:8] or 'unknown'}"}
    shown["made on"] = made["versions"]["processor"]
    return shown | {name: round(float(value), 3) for name, value in made["times"].items()}


def tags(root: Path, _stage: Stage) -> dict[str, str]:
    """Return the commit that the project is at, and the release that is current."""
    found = {"smar/commit": origin(root)["git_commit"][:12], "smar/release": current_version(root)}
    return {name: value for name, value in found.items() if value}


def raw_data(root: Path, source: Source) -> dict[str, Any]:
    """Return size and age of a raw source, and the rows and days that were last read from it."""
    place = root / source.path
    files = [file for file in place.rglob("*") if file.is_file()] if place.is_dir() else [place]
    files = [file for file in files if file.is_file() and file.name != ".gitignore"]
    shown: dict[str, Any] = {"files": len(files), "bytes": sum(f.stat().st_size for f in files)}
    if files:
        newest = max(file.stat().st_mtime for file in files)
        shown["newest file"] = dg.MetadataValue.timestamp(newest)
        shown["age in days"] = round((time.time() - newest) / 86_400, 2)
    if place.is_relative_to(
        Paths(root).backbones
    ):  # a pretrained model, of which ingest reads none
        return shown
    rows = read_record(Paths(root).outcome("ingest"))
    names = ("items", "searches", "engagements", "judgements", "quarantined")
    shown |= {f"{name} last read": rows[name] for name in names if name in rows}
    return shown | _days(Paths(root).ingested("searches"))


def _days(table: Path) -> dict[str, Any]:
    """Return first and last day of the searches last read."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not table.is_file():
        return {}
    times = pq.read_table(table, columns=["timestamp"])["timestamp"]
    span = pc.min_max(times).as_py()
    if span["min"] is None:
        return {}
    first, last = span["min"].date(), span["max"].date()
    return {
        "searches from": str(first),
        "searches to": str(last),
        "days of searches": (last - first).days + 1,
    }


def _examples(root: Path, stage: Stage) -> Iterator[tuple[str, Any]]:
    """Yield the pictures that a few queries of an evaluation found."""
    for out in stage.outs:
        table = root / out.path / "per_query.parquet"
        if table.is_file():
            strips = list(_strips(root, table))
            if strips:
                yield "example results", dg.MetadataValue.md("\n\n".join(strips))


def _strips(root: Path, table: Path) -> Iterator[str]:
    """Yield a query and a strip of the pictures it found, queries spread evenly over the set."""
    import pandas as pd

    from smar.data.images import ImageStore
    from smar.data.schema import ITEMS, read_table

    paths = Paths(root)
    frame = pd.read_parquet(table, columns=["set", "query_id", "query", "system"])
    name = next((name for name in _SETS if (frame["set"] == name).any()), None)
    if name is None or not paths.images.is_dir():
        return
    queries = frame[(frame["set"] == name) & (frame["system"] == "hybrid")]
    chosen = queries.iloc[:: max(1, len(queries) // _QUERIES)][:_QUERIES]
    columns = ["query_id", "q0", "item_id", "rank", "score", "system"]
    run = pd.read_csv(
        table.parent / "runs" / f"{name}.hybrid.trec", sep=" ", names=columns, dtype=str
    )
    items = read_table(paths.items, ITEMS).set_index("item_id")
    images = ImageStore.open(paths.images)
    for query_id, query in zip(chosen["query_id"], chosen["query"], strict=True):
        found = run.loc[run["query_id"] == query_id, "item_id"].iloc[:_ITEMS]
        pictures = [items.loc[item_id, "image_ids"][:1] for item_id in found]
        yield f"**{query}**\n\n{_strip(query, [images.read(p)[0] for p in pictures if len(p)])}"


def _strip(query: str, pictures: list[Any]) -> str:
    """Return pictures side by side as one JPEG in the text."""
    from PIL import Image

    if not pictures:
        return "(no item found has a picture)"
    height, width = pictures[0].shape[:2]
    strip = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), "white")
    for place, pixels in enumerate(pictures):
        strip.paste(Image.fromarray(pixels), (place * (width + _GAP), 0))
    buffer = BytesIO()
    strip.save(buffer, "JPEG", quality=85)
    return as_markdown(query, buffer.getvalue(), "image/jpeg")
