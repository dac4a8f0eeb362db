"""What is shown of a stage's artefacts."""

import json
from pathlib import Path

import dagster as dg

from dagster_dvc.charts import line_chart
from dagster_dvc.metadata import stage_metadata
from dagster_dvc.repository import load_manifest
from dagster_dvc.tests.support import run, write_pipeline

WRITE = """
import json, os
import pandas as pd

from PIL import Image
os.makedirs('report')
open('report/index.html', 'w').write('<p>report</p>')
pd.DataFrame({'id': ['a', 'b', 'c'], 'text': ['x' * 100, 'y', 'z']}).to_parquet('table.parquet')
open('loss.tsv', 'w').write('step\\tloss\\n0\\t1.5\\n10\\t0.5\\n')
Image.new('RGB', (8, 8), 'red').save('dot.png')
json.dump({'rows': 3, 'ok': True, 'name': 'x', 'sets': {'test': {'recall@5': 0.25}}},
          open('figures.json', 'w'))
"""


def show(root: Path, url: str = "") -> dict[str, object]:
    (root / "write.py").write_text(WRITE)
    stage = {
        "cmd": "python write.py",
        "deps": ["write.py"],
        "outs": ["report", "table.parquet"],
        "plots": ["loss.tsv", "dot.png"],
        "metrics": [{"figures.json": {"cache": False}}],
    }
    plot = {"loss": {"x": "step", "y": {"loss.tsv": ["loss"]}, "title": "Loss & <more>"}}
    write_pipeline(root, {"stages": {"write": stage}, "plots": [plot]})
    run(root, "dvc", "repro")
    manifest = load_manifest(root)
    return stage_metadata(manifest, manifest.stages["write"], reports_url=url)


def test_everything_worth_a_look_is_shown(empty: Path):
    shown = show(empty)
    assert (shown["rows"], shown["ok"], shown["sets.test.recall@5"]) == (3, 1, 0.25)
    assert "name" not in shown
    assert shown["dagster/row_count"] == 3
    head = shown["first rows of table.parquet"]
    assert isinstance(head, dg.TableMetadataValue)
    assert head.records[0].data == {"id": "a", "text": "x" * 57 + "..."}
    chart, picture = shown["plot loss"], shown["plot dot.png"]
    assert isinstance(chart, dg.MarkdownMetadataValue)
    assert chart.md_str.startswith("![Loss & <more>](data:image/svg+xml;base64,")
    assert isinstance(picture, dg.MarkdownMetadataValue)
    assert "data:image/png;base64," in picture.md_str
    assert shown["page report/index.html"] == dg.MetadataValue.path(empty / "report/index.html")
    outputs = shown["outputs"]
    assert isinstance(outputs, dg.TableMetadataValue)
    size = (empty / "figures.json").stat().st_size
    sizes = {record.data["path"]: record.data["bytes"] for record in outputs.records}
    assert sizes["figures.json"] == size


def test_reports_are_linked_where_they_are_served(empty: Path):
    shown = show(empty, "http://127.0.0.1:3001/")
    url = dg.MetadataValue.url("http://127.0.0.1:3001/report/index.html")
    assert shown["page report/index.html"] == url


def test_broken_metrics_are_told_and_do_not_fail_the_run(empty: Path):
    show(empty)
    (empty / "figures.json").write_text("{")
    manifest = load_manifest(empty)
    shown = stage_metadata(manifest, manifest.stages["write"])
    assert "figures.json cannot be read" in shown


def test_most_metrics_are_left_out_deepest_first(empty: Path):
    show(empty)
    deep = {"deep": {f"d{n}": n for n in range(100)}, **{f"top{n}": n for n in range(50)}}
    (empty / "figures.json").write_text(json.dumps(deep))
    manifest = load_manifest(empty)
    shown = stage_metadata(manifest, manifest.stages["write"])
    assert all(f"top{n}" in shown for n in range(50))
    assert len([name for name in shown if name.startswith("deep.")]) == 10


def test_chart_escapes_what_it_shows():
    svg = line_chart("a < b", "x", "y & z", {"<s>": [(0.0, 1.0), (1.0, 1.0)], "empty one": []})
    assert "a &lt; b" in svg
    assert "y &amp; z" in svg
    assert "&lt;s&gt;" in svg
    assert "empty one" not in svg
