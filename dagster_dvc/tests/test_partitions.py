"""Partitions: which are stale, and how their metrics stand, held against `dvc status`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from dagster_dvc import names
from dagster_dvc.tests.support import component, run, write_pipeline
from dagster_dvc.tests.test_option_runs import materialize, partitions, tick

pytestmark = pytest.mark.whole

ITEMS = {"partitions": ["prepare", "train"]}
DAYS = {"dates": {"param": "run.date", "start": "2026-01-01", "end": "2026-01-09"}}
STAGES: dict[str, Any] = {
    "words": {"cmd": "cp all.txt words.txt", "deps": ["all.txt"], "outs": ["words.txt"]},
    "prepare": {
        "foreach": ["a", "b"],
        "do": {
            "cmd": "cat raw/${item}.txt words.txt > d-${item}",
            "deps": ["raw/${item}.txt", "words.txt"],
            "outs": ["d-${item}"],
        },
    },
    "train": {
        "foreach": {"a": {"least": 2}, "b": {"least": 5}},
        "do": {
            "cmd": [
                "cp d-${key} m-${key}",
                "wc -l < d-${key} | sed 's/.*/{\"n\": &}/' > n-${key}.json",
            ],
            "deps": ["d-${key}"],
            "params": ["lr"],
            "outs": ["m-${key}"],
            "metrics": [{"n-${key}.json": {"cache": False}}],
            "meta": {"checks": {"n": {"min": "${item.least}", "blocking": True}}},
        },
    },
    "report": {"cmd": "cat m-a m-b > report", "deps": ["m-a", "m-b"], "outs": ["report"]},
}


@pytest.fixture
def items(empty: Path) -> Path:
    """Items over raw files of their own, one plain stage before them and one after."""
    (empty / "raw").mkdir()
    for name in ("raw/a.txt", "raw/b.txt", "all.txt"):
        (empty / name).write_text(f"{name}\n")
    (empty / "params.yaml").write_text("lr: 1\n")
    write_pipeline(empty, {"stages": STAGES})
    return empty


def stale(root: Path, instance: dg.DagsterInstance, **options: Any) -> set[str]:
    """Return the assets and partitions that Dagster shows as stale, as DVC would name them."""
    graph = component(root, **options).definitions(root).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    found = set()
    for key in graph.materializable_asset_keys:
        definition = graph.get(key).partitions_def
        for partition in definition.get_partition_keys() if definition else [None]:
            if resolver.get_status(key, partition) == StaleStatus.STALE:
                found.add(key.to_user_string() + (f"@{partition}" if partition else ""))
    return found


def changed(root: Path) -> set[str]:
    return set(json.loads(run(root, "dvc", "status", "--json")))


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


EDITS: dict[str, Callable[[Path], object]] = {
    "its own input": write("raw/a.txt", "other\n"),
    "an input of all": write("all.txt", "other\n"),
    "a parameter": write("params.yaml", "lr: 2\n"),
    "an output that is lost": lambda root: (root / "m-b").unlink(),
    "an output that was edited": write("d-b", "other\n"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_stale_partitions_are_those_that_dvc_would_run(
    edit: str, items: Path, instance: dg.DagsterInstance
):
    run(items, "dvc", "repro", "-q")
    tick(items, instance, **ITEMS)
    assert partitions(instance, "train") == partitions(instance, "prepare") == {"a", "b"}
    assert tick(items, instance, **ITEMS) == []
    assert stale(items, instance, **ITEMS) == set()
    EDITS[edit](items)
    tick(items, instance, **ITEMS)
    assert stale(items, instance, **ITEMS) == changed(items) != set()
    assert tick(items, instance, **ITEMS) == []
    run(items, "dvc", "repro", "-q")
    tick(items, instance, **ITEMS)
    assert stale(items, instance, **ITEMS) == changed(items) == set()
    assert tick(items, instance, **ITEMS) == []


def test_what_follows_a_partition_is_stale_once_that_ran(items: Path, instance: dg.DagsterInstance):
    run(items, "dvc", "repro", "-q")
    tick(items, instance, **ITEMS)
    (items / "raw" / "a.txt").write_text("other\n")
    assert materialize(items, instance, "prepare", "a", **ITEMS).success
    tick(items, instance, **ITEMS)
    assert stale(items, instance, **ITEMS) == changed(items) == {"train@a"}
    assert materialize(items, instance, "train", "a", **ITEMS).success
    tick(items, instance, **ITEMS)
    assert stale(items, instance, **ITEMS) == changed(items) == {"report"}
    assert materialize(items, instance, "report", **ITEMS).success
    assert stale(items, instance, **ITEMS) == changed(items) == set()
    assert tick(items, instance, **ITEMS) == []
    (items / "raw" / "a.txt").write_text("another\n")
    assert materialize(items, instance, "prepare", "a", **ITEMS).success
    assert "train@a" in stale(items, instance, **ITEMS)  # before the sensor has looked


def test_partition_that_dvc_forgot_is_stale(items: Path, instance: dg.DagsterInstance):
    run(items, "dvc", "repro", "-q")
    tick(items, instance, **ITEMS)
    lock = (items / "dvc.lock").read_text()
    (items / "dvc.lock").write_text(lock.replace("train@a:", "train@gone:"))
    tick(items, instance, **ITEMS)
    assert stale(items, instance, **ITEMS) == changed(items) == {"train@a"}
    assert tick(items, instance, **ITEMS) == []


def test_check_speaks_for_all_items_that_ran(items: Path, instance: dg.DagsterInstance):
    assert materialize(items, instance, "words").success
    second = materialize(items, instance, "prepare train", "b", **ITEMS)
    (failed,) = second.get_asset_check_evaluations()
    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert failed.description == "b: n is 2; at least 5 is expected"
    first = materialize(items, instance, "prepare train", "a", **ITEMS)
    # It stops what follows b, and nothing of a.
    (still,) = first.get_asset_check_evaluations()
    assert (still.passed, still.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert still.description == failed.description
    assert {item: value.value for item, value in still.metadata.items()} == {"a": 2, "b": 2}
    (items / "raw" / "b.txt").write_text("1\n2\n3\n4\n")
    run(items, "dvc", "repro", "-q")
    told = [e for e in tick(items, instance, **ITEMS) if isinstance(e, dg.AssetCheckEvaluation)]
    assert told
    assert all(event.passed for event in told)
    assert told[0].description == (
        "a: n is 2; at least 2 is expected; b: n is 5; at least 5 is expected"
    )


def test_item_that_reads_another_of_its_own(empty: Path, instance: dg.DagsterInstance):
    chain = {"foreach": {"one": {"after": "raw"}, "two": {"after": "o-one"}},
             "do": {"cmd": "cp ${item.after} o-${key}", "deps": ["${item.after}"],
                    "outs": ["o-${key}"]}}  # fmt: skip
    (empty / "raw").write_text("1\n")
    write_pipeline(empty, {"stages": {"chain": chain}})
    run(empty, "dvc", "repro", "-q")
    tick(empty, instance, partitions=["chain"])
    assert stale(empty, instance, partitions=["chain"]) == set()
    (empty / "o-one").write_text("2\n")
    tick(empty, instance, partitions=["chain"])
    assert stale(empty, instance, partitions=["chain"]) == changed(empty)


@pytest.fixture
def days(empty: Path) -> Path:
    """A stage that runs once a day over a file of that day, one that follows, and plain inputs."""
    (empty / "in").mkdir()
    for day in (2, 3):
        (empty / "in" / f"2026-01-0{day}.txt").write_text(f"{day}\n")
    (empty / "code.py").write_text(
        "import sys\nday = sys.argv[1]\n"
        "text = open(f'in/{day}.txt').read() + open('plain.txt').read()\n"
        "open(f'out-{day}.txt', 'w').write(text)\n"
    )
    (empty / "plain.txt").write_text("plain\n")
    (empty / "params.yaml").write_text("run: {date: '2026-01-02', size: 1}\n")
    stages = {
        "daily": {
            "cmd": "python code.py ${run.date}",
            "deps": ["code.py", "in/${run.date}.txt", "plain.txt"],
            "params": ["run"],
            "outs": ["out-${run.date}.txt"],
        },
        "after": {
            "cmd": "cp out-${run.date}.txt after.txt",
            "deps": ["out-${run.date}.txt"],
            "outs": ["after.txt"],
        },
    }
    write_pipeline(empty, {"stages": stages})
    return empty


def test_stale_days_are_those_that_ran_with_something_else(
    days: Path, instance: dg.DagsterInstance
):
    for day in ("2026-01-02", "2026-01-03"):
        assert materialize(days, instance, "daily after", day, **DAYS).success
    tick(days, instance, **DAYS)
    assert tick(days, instance, **DAYS) == []
    assert stale(days, instance, **DAYS) == set()
    both = {"daily@2026-01-02", "daily@2026-01-03"}
    (days / "plain.txt").write_text("other\n")
    tick(days, instance, **DAYS)
    assert stale(days, instance, **DAYS) == both
    # One day made anew: it is fresh, and what follows it is not.
    assert materialize(days, instance, "daily", "2026-01-02", **DAYS).success
    assert stale(days, instance, **DAYS) == {"daily@2026-01-03", "after@2026-01-02"}
    tick(days, instance, **DAYS)
    assert stale(days, instance, **DAYS) == {"daily@2026-01-03", "after@2026-01-02"}
    assert materialize(days, instance, "daily", "2026-01-03", **DAYS).success
    for day in ("2026-01-02", "2026-01-03"):
        assert materialize(days, instance, "daily after", day, **DAYS).success
    assert stale(days, instance, **DAYS) == set()
    text = (days / "code.py").read_text()
    (days / "code.py").write_text(text + "# an edit\n")
    assert stale(days, instance, **DAYS) == both
    (days / "code.py").write_text(text)
    assert stale(days, instance, **DAYS) == set()
    params = (days / "params.yaml").read_text()
    (days / "params.yaml").write_text(params.replace("size: 1", "size: 2"))
    assert stale(days, instance, **DAYS) == both


def test_day_of_one_stage_is_none_of_the_next(days: Path, instance: dg.DagsterInstance):
    assert materialize(days, instance, "daily after", "2026-01-02", **DAYS).success
    assert materialize(days, instance, "daily", "2026-01-03", **DAYS).success
    tick(days, instance, **DAYS)
    assert partitions(instance, "daily") == {"2026-01-02", "2026-01-03"}
    assert partitions(instance, "after") == {"2026-01-02"}


def test_file_of_one_day_is_no_asset(days: Path):
    graph = component(days, **DAYS).definitions(days).resolve_asset_graph()
    found = {names.decode(key.path[-1]) for key in graph.get_all_asset_keys()}
    assert found == {"daily", "after", "plain.txt"}


def test_plain_stage_after_partitions_is_reported_once(items: Path, instance: dg.DagsterInstance):
    options = {"partitions": ["train"]}  # what they read has none
    run(items, "dvc", "repro", "-q")
    tick(items, instance, **options)
    assert tick(items, instance, **options) == []
    assert stale(items, instance, **options) == set()
    (items / "raw" / "a.txt").write_text("other\n")
    run(items, "dvc", "repro", "-q", "prepare@a")
    tick(items, instance, **options)
    assert tick(items, instance, **options) == []
    assert stale(items, instance, **options) == changed(items) == {"train@a"}


def test_item_with_a_bad_metric_stops_what_follows_by_itself(
    items: Path, instance: dg.DagsterInstance
):
    options: dict[str, Any] = {**ITEMS, "automation": "changed"}

    def requested(cursor: Any) -> Any:
        return dg.evaluate_automation_conditions(
            defs=component(items, **options).definitions(items), instance=instance, cursor=cursor
        )

    run(items, "dvc", "repro", "-q")
    tick(items, instance, **options)
    first = requested(None)
    (items / "m-a").write_text("another model\n")
    run(items, "dvc", "commit", "-q", "-f", "train@a")
    tick(items, instance, **options)
    held = requested(first.cursor)
    assert held.get_num_requested(dg.AssetKey("report")) == 0  # for b is still bad
    (items / "n-b.json").write_text('{"n": 5}')
    run(items, "dvc", "commit", "-q", "-f", "train@b")
    tick(items, instance, **options)
    assert requested(held.cursor).get_num_requested(dg.AssetKey("report")) == 1


def test_asset_of_items_is_shown_as_what_it_is(items: Path):
    options: dict[str, Any] = {**ITEMS, "translation": {"description": "of {{ stage.file }}"}}
    graph = component(items, **options).definitions(items).resolve_asset_graph()
    node = graph.get(dg.AssetKey("train"))
    assert node.description == "of dvc.yaml"
    assert node.metadata["dvc/stage"] == "train"
    assert node.metadata["dvc/outs"] == ["m-a", "n-a.json", "m-b", "n-b.json"]
