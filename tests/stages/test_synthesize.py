"""The synthesize stage: what lies on disk agrees with its metrics, and is the same each time."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from smar.artifacts import digest, verify_directory
from smar.data import schema
from smar.errors import ArtifactError
from smar.paths import Paths
from smar.stages.synthesize import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def paths(tmp_path: Path, tiny_items: pd.DataFrame) -> Paths:
    """A project with items, and one query of each split whose text item titles can give."""
    paths = Paths(tmp_path)
    shutil.copy(ROOT / "params.yaml", paths.params)
    texts = {"red boot": "train", "blue boot": "validation", "green boot": "test"}
    queries = pd.DataFrame(
        {"query_id": list(texts), "query": list(texts), "split": texts.values(), "num_searches": 1}
    )
    schema.write_table(paths.items, tiny_items, schema.ITEMS)
    schema.write_table(paths.queries, queries, schema.QUERIES)
    return paths


def set_synthesize(paths: Paths, **changes: float) -> None:
    content = yaml.safe_load(paths.params.read_text())
    content["synthesize"].update(changes)
    paths.params.write_text(yaml.safe_dump(content))


def made(paths: Paths) -> pd.DataFrame:
    return schema.read_table(paths.synthetic / "queries.parquet", schema.SYNTHETIC)


def test_metrics_and_manifest_count_what_was_written(paths: Paths):
    run(paths.root)
    frame = made(paths)
    figures = json.loads(paths.outcome("synthesize").read_text())
    assert figures["queries"] == len(frame)
    assert figures["real_queries"] == 1
    assert figures["per_real_query"] == len(frame)
    assert figures["validation"] == (frame["split"] == "validation").sum()
    kinds = {name: n for name, n in figures.items() if name.startswith("kind_")}
    assert sum(kinds.values()) == len(frame)
    manifest = verify_directory(paths.synthetic, "synthetic")
    assert figures == dict(manifest.counts) | {"checks": figures["checks"]}
    assert set(manifest.inputs) == {"data/accepted/items.parquet", "data/accepted/queries.parquet"}


def test_ratio_of_the_parameters_is_reached_where_titles_allow(paths: Paths):
    set_synthesize(paths, ratio=72, max_per_item=60)
    run(paths.root)
    assert made(paths).groupby("item_id").size().tolist() == [3] * 24  # 72 x 1 / 24 items


def test_rows_follow_the_order_of_the_items(paths: Paths, tiny_items: pd.DataFrame):
    run(paths.root)
    assert made(paths)["item_id"].drop_duplicates().tolist() == tiny_items["item_id"].tolist()


def test_held_out_texts_are_left_out_and_counted(paths: Paths):
    set_synthesize(paths, max_per_item=60, ratio=10_000)
    run(paths.root)
    frame = made(paths)
    assert not set(frame["query"]) & {"blue boot", "green boot"}
    assert "red boot" in set(frame["query"])
    dropped = verify_directory(paths.synthetic, "synthetic").dropped
    assert dropped["stems of a held-out query"] > 0


def test_stage_run_twice_gives_the_same_bytes_and_another_seed_others(paths: Paths):
    run(paths.root)
    first = digest(paths.synthetic)
    run(paths.root)
    assert digest(paths.synthetic) == first
    content = yaml.safe_load(paths.params.read_text())
    before = made(paths)
    paths.params.write_text(yaml.safe_dump(content | {"seed": content["seed"] + 1}))
    run(paths.root)
    assert not made(paths).equals(before)


def test_missing_tables_name_the_next_step(paths: Paths):
    paths.items.unlink()
    with pytest.raises(ArtifactError, match=r"items\.parquet: not found\. Run `dvc repro`"):
        run(paths.root)
    assert not paths.synthetic.exists()
