"""What only smar can tell about its artefacts: rows dropped and why, and the pictures found."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.charts import as_markdown
from dagster_dvc.manifest import Stage

_QUERIES = 5
_ITEMS = 6
_GAP = 4
_SETS = ("test", "validation", "synthetic")


def smar_metadata(root: Path, stage: Stage) -> dict[str, Any]:
    """Return counts and dropped rows of every directory artefact, and example results."""
    shown: dict[str, Any] = dict(_examples(root, stage))
    dropped: dict[str, int] = {}
    for out in stage.outs:
        manifest = root / out.path / "manifest.json"
        if manifest.is_file():
            content = json.loads(manifest.read_text(encoding="utf-8"))
            dropped |= {reason: int(count) for reason, count in content["dropped"].items()}
            shown |= {f"{content['kind']}.{k}": v for k, v in content["counts"].items()}
    if dropped:
        shown["dropped rows"] = sum(dropped.values())
        records = [dg.TableRecord({"reason": r, "rows": n}) for r, n in dropped.items()]
        columns = [dg.TableColumn("reason", "string"), dg.TableColumn("rows", "int")]
        schema = dg.TableSchema(columns)
        shown["dropped rows by reason"] = dg.MetadataValue.table(records, schema=schema)
    return shown


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
    from smar.paths import Paths

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
