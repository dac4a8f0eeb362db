"""Validation of a million log rows, against twelve plain expectations over a table of as many rows.

The shop is the demo shop's catalogue with a log made larger by numpy (searches, and engagements on
what was shown). Times are of one process after the imports, and of the whole `smar validate` as a
process of its own; CPU seconds beside them tell what a busy machine adds.
Run with `python -m benchmarks.validation`.
"""

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from smar.data import schema
from smar.data.images import ImageStore
from smar.params import load_params
from smar.paths import Paths

ROOT = Path(__file__).parent.parent
SHOWN = 20


def make_shop(root: Path, num_items: int, log_rows: int) -> None:
    """Ingest a demo shop and replace its log by one of `log_rows` searches and engagements."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["ingest"]["demo"] = {"num_items": num_items, "num_searches": 2000}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    smar(root, "ingest")
    paths, rng = Paths(root), np.random.default_rng(0)
    count = log_rows * 6 // 10
    queries = schema.read_table(paths.ingested("queries"), schema.QUERIES)
    logged = queries.index[queries["split"].isin(schema.LOGGED)]
    weights = 1 / np.arange(1, len(logged) + 1) ** 0.9
    chosen = rng.choice(len(logged), count, p=weights / weights.sum())
    texts = queries.loc[logged, "query"]
    counts = pd.Series(np.bincount(chosen, minlength=len(logged)), index=texts.to_numpy())
    queries["num_searches"] = queries["query"].map(counts).fillna(0).astype("int64")
    schema.write_table(paths.ingested("queries"), queries, schema.QUERIES)
    seconds = np.sort(rng.random(count)) * 60 * 86_400
    start = pd.Timestamp("2026-08-01", tz="UTC")
    items = schema.read_arrow(paths.ingested("items"))["item_id"].combine_chunks()
    shown = rng.integers(0, len(items), count * SHOWN)
    ids = pa.array(np.char.mod("s%07d", np.arange(count)))
    searches = pa.table(
        {
            "search_id": ids,
            "query_id": pa.array(queries.loc[logged, "query_id"].to_numpy()[chosen], pa.string()),
            "client_id": pa.array(np.char.mod("c%05d", rng.integers(0, count // 20, count))),
            "timestamp": pa.array(start + pd.to_timedelta(seconds.astype(int), unit="s")),
            "shown": pa.ListArray.from_arrays(
                pa.array(np.arange(count + 1) * SHOWN, pa.int32()), items.take(pa.array(shown))
            ),
        }
    ).cast(schema.SEARCHES)
    schema.write_arrow(paths.ingested("searches"), searches)
    write_engagements(paths, searches, shown, log_rows - count, rng)


def write_engagements(
    paths: Paths, searches: pa.Table, shown: np.ndarray, count: int, rng: np.random.Generator
) -> None:
    """Write clicks on what searches showed, more on the first places."""
    row = rng.integers(0, searches.num_rows, count)
    place = np.minimum((rng.pareto(1.0, count)).astype(int), SHOWN - 1)
    items = schema.read_arrow(paths.ingested("items"))["item_id"].combine_chunks()
    delay = np.arange(count) + 5_000_000  # microseconds, no two alike
    times = searches["timestamp"].take(pa.array(row)).to_pandas()
    engagements = pa.table(
        {
            "search_id": searches["search_id"].take(pa.array(row)),
            "query_id": searches["query_id"].take(pa.array(row)),
            "item_id": items.take(pa.array(shown[row * SHOWN + place])),
            "action": pa.array(np.where(rng.random(count) < 0.8, "click", "add_to_cart")),
            "position": pa.array(place + 1),
            "timestamp": pa.array(times + pd.to_timedelta(delay, unit="us")),
        }
    ).cast(schema.ENGAGEMENTS)
    schema.write_arrow(paths.ingested("engagements"), engagements)


def smar(root: Path, stage: str) -> tuple[float, float]:
    """Run a stage as a process of its own and return its seconds and CPU seconds."""
    start, cpu = time.perf_counter(), children_cpu()
    command = [sys.executable, "-m", "smar", stage, "--root", str(root), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)
    return time.perf_counter() - start, children_cpu() - cpu


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds_of(work: Callable[[], Any]) -> tuple[float, float, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - start, time.process_time() - cpu, result


def plain_expectations(frame: pd.DataFrame) -> object:
    """The peer: twelve expectations of Great Expectations over one table."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    rules = [
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in frame.columns),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValueLengthsToBeBetween(column="query", min_value=1),
        gxe.ExpectColumnValuesToBeInSet(column="action", value_set=["click", "none"]),
        gxe.ExpectColumnValuesToBeBetween(column="position", min_value=1, max_value=1000),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnMeanToBeBetween(column="position", min_value=1),
    ]
    source = context.data_sources.add_pandas("peer").add_dataframe_asset("log")
    batch = source.add_batch_definition_whole_dataframe("all").get_batch(
        batch_parameters={"dataframe": frame}
    )
    return batch.validate(gx.ExpectationSuite(name="peer", expectations=rules))


def peer_table(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.char.mod("s%07d", np.arange(rows)),
            "query": np.char.mod("query %d", rng.integers(0, 5000, rows)),
            "client": np.char.mod("c%05d", rng.integers(0, 30_000, rows)),
            "action": np.where(rng.random(rows) < 0.5, "click", "none"),
            "position": rng.integers(1, 21, rows),
            "timestamp": pd.Timestamp("2026-08-01") + pd.to_timedelta(np.arange(rows), unit="s"),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=1000)
    options = parser.parse_args()
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    from smar.validation.pictures import read_picture_facts
    from smar.validation.shop import validate_shop

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        make_shop(root, options.items, options.rows)
        paths, params = Paths(root), load_params(root / "params.yaml").validate_
        facts = read_picture_facts(ImageStore.open(paths.images), 2.0, 2.0)

        table = peer_table(options.rows)

        def read() -> dict[str, pa.Table]:
            return {name: schema.read_arrow(paths.ingested(name)) for name in schema.TABLES}

        peer, peer_cpu, _ = seconds_of(lambda: plain_expectations(table))
        reading, reading_cpu, tables = seconds_of(read)
        checking, checking_cpu, outcome = seconds_of(
            lambda: validate_shop(tables, lambda: facts, params, None)
        )
        whole, whole_cpu = smar(root, "validate")
    seconds = {
        "twelve_plain_expectations": (peer, peer_cpu),
        "read": (reading, reading_cpu),
        "check": (checking, checking_cpu),
        "process": (whole, whole_cpu),
    }
    figures = {
        "log_rows": options.rows,
        "rules": len(outcome.results),
        "broken": [result.rule for result in outcome.results if not result.success],
        **{f"{name}_s": round(wall, 2) for name, (wall, _) in seconds.items()},
        **{f"{name}_cpu_s": round(cpu, 2) for name, (_, cpu) in seconds.items()},
        "ratio": round((reading + checking) / peer, 2),
        "cpu_ratio": round((reading_cpu + checking_cpu) / peer_cpu, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
