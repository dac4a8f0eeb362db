"""What decides stands first on the pages of evaluation and promotion; sources tell their age."""

from pathlib import Path

import dagster as dg

from dagster_dvc.manifest import Output, Source, Stage
from orchestration.artifacts import raw_data, smar_metadata, tags
from smar.paths import Paths


def stage(name: str, *outs: str) -> Stage:
    return Stage(
        name=name, file="dvc.yaml", local_name=name, template="", desc="", meta={}, cmd="",
        is_frozen=False, is_always_changed=False, deps=(), params={}, written_params=(),
        outs=tuple(Output(path=out) for out in outs), upstream=(), tracked=(), lock=None,
    )  # fmt: skip


def test_evaluation_opens_with_what_decides(small_project: Path):
    shown = smar_metadata(small_project, stage("evaluate", "reports/evaluation"))
    assert list(shown)[:2] == ["what decides", "release"]
    text = shown["what decides"].value
    head = "| recall@50 | queries | as served | BM25 | text alone | release | weakest slice |"
    assert head in text
    assert "not_worse_than_the_release" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| validation ")]
    assert len(row.split("|")) == len(head.split("|"))
    assert isinstance(shown["all figures"], dg.JsonMetadataValue)
    assert "commit" in str(shown["made"])
    assert shown["stage_s"] > 0


def test_promotion_opens_with_verdict_and_rules(small_project: Path):
    shown = smar_metadata(small_project, stage("promote", "reports/promote"))
    assert next(iter(shown)) == "what decides"
    assert shown["what decides"].value.startswith("**promoted**; the release is v1")
    assert "- holds: index recall: " in shown["what decides"].value


def test_training_tells_how_long_it_took(small_project: Path):
    shown = smar_metadata(small_project, stage("finetune", "models/retriever"))
    assert shown["seconds"] > 0
    assert shown["pairs_per_s"] > 0


def test_tags_name_the_release(small_project: Path):
    assert tags(small_project, stage("promote")) == {"smar/release": "v1"}


def test_raw_source_tells_rows_days_and_age(small_project: Path):
    folder = small_project / "data" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "feed.csv").write_text("id\n1\n")
    shown = raw_data(small_project, Source(path="data/raw"))
    assert (shown["files"], shown["bytes"]) == (1, 5)
    assert shown["items last read"] == 150
    assert shown["days of searches"] > 1
    assert shown["searches from"] < shown["searches to"]
    assert 0 <= shown["age in days"] < 1
    Paths(small_project).outcome("ingest").unlink()
    assert "items last read" not in raw_data(small_project, Source(path="data/raw"))
