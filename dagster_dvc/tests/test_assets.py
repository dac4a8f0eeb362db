"""Definitions of repositories whose names, paths and files Dagster knows nothing of."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dvc.assets import build_assets
from dagster_dvc.names import encode
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.tests.support import Pipeline, run, write_pipeline
from dagster_dvc.translator import DvcTranslator


def keys(root: Path) -> dict[str, str]:
    """Return the asset key of everything, as Dagster's definitions hold it."""
    repository, translator = Repository(root), DvcTranslator()
    assets = build_assets(repository, translator)
    defs = dg.Definitions(assets=assets, resources={"dvc": DvcResource(root=str(root))})
    graph = defs.resolve_asset_graph()
    defs.resolve_all_job_defs()
    found = translator.names(repository.manifest)
    everything = {n: k.to_user_string() for n, k in {**found.sources, **found.stages}.items()}
    known = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert known == {k.to_user_string() for k in [*found.sources.values(), *found.stages.values()]}
    return everything


def test_every_kind_of_name_is_an_asset(empty: Path):
    (empty / "raw data.csv").write_text("1\n")
    stages: dict[str, Any] = {
        "train-model": {
            "foreach": ["a", "b.c"],
            "do": {"cmd": "touch ${item}", "deps": ["raw data.csv"], "outs": ["${item}"]},
        },
        "grid": {
            "matrix": {"model": ["resnet/18", "gpt-4o:mini"]},
            "cmd": "touch ${key}",
            "deps": [r"raw\win.csv", "\u00fcber.csv", "https://h.example/x.csv", "../out/y.csv"],
        },
        "config": {"cmd": "touch c", "outs": ["c"]},
        "type": {"cmd": "true", "deps": ["c"]},
    }
    write_pipeline(empty, {"stages": stages})
    found = keys(empty)
    assert found["train-model@a"] == "train-model/a"
    assert found["train-model@b.c"] == f"train-model/{encode('b.c')}"
    assert found["grid@resnet/18"] == "grid/resnet/18"
    assert found["grid@gpt-4o:mini"] == "grid/gpt-4o_x3A_mini"
    assert found["raw data.csv"] == encode("raw data.csv")
    assert found["https://h.example/x.csv"] == "/".join(
        map(encode, ["https:", "h.example", "x.csv"])
    )
    assert found["../out/y.csv"] == "/".join(map(encode, ["..", "out", "y.csv"]))
    assert found["\u00fcber.csv"] == encode("\u00fcber.csv")
    assert found[r"raw\win.csv"] == encode(r"raw\win.csv")


def test_clashes_are_resolved(empty: Path):
    (empty / "t").mkdir()
    write_pipeline(empty / "t", {"stages": {"a": {"cmd": "true"}}})
    stages: dict[str, Any] = {
        "t": {"foreach": ["a"], "do": {"cmd": "echo ${item}"}},
        "train": {"cmd": "true", "deps": ["train", "x-1.csv", "x_1.csv"]},
    }
    write_pipeline(empty, {"stages": stages})
    found = keys(empty)
    assert found["t/dvc.yaml:a"] == "t/a"
    assert found["t@a"] == "t/a_x0_item"
    assert (found["train"], found["x_1.csv"]) == ("train", encode("x_1.csv"))
    assert found["x-1.csv"] == "x_x2D_1_x2E_csv"


def test_owner_may_be_one_name(empty: Path):
    stage = {"cmd": "true", "meta": {"owners": "alice"}}
    write_pipeline(
        empty, {"stages": {"a": stage, "b": stage | {"meta": {"owners": ["ann@example.org"]}}}}
    )
    repository, translator = Repository(empty), DvcTranslator()
    specs = [translator.get_asset_spec(s, repository) for s in repository.manifest.stages.values()]
    assert [spec.owners for spec in specs] == [["team:alice"], ["ann@example.org"]]


@pytest.mark.parametrize(
    ("meta", "owners"),
    [
        ("text", []), ([1], []), (None, []), ({"owners": 3}, ["team:3"]), ({"owners": None}, []),
        ({"checks": "by hand"}, []),
        ({"checks": ["a"], "owners": ["ann", 4]}, ["team:ann", "team:4"]),
        ({"owners": {"data": "ann"}}, ["team:ann"]),
        ({"owners": ["Ann M", "", "team:"]}, ["team:Ann M"]),
    ],
)  # fmt: skip
def test_meta_of_any_form_is_taken(empty: Path, meta: Any, owners: list[str]):
    """It is the user's: DVC says nothing of what stands there."""
    write_pipeline(empty, {"stages": {"a": {"cmd": "true", "meta": meta}}})
    (made,) = build_assets(Repository(empty), DvcTranslator())
    assert next(iter(made.specs)).owners == owners
    assert not [*made.check_specs]


@pytest.mark.parametrize("kind", ["parameter", "template"])
def test_stage_that_cannot_run_is_an_asset_that_says_why(pipeline: Pipeline, kind: str):
    if kind == "parameter":
        (pipeline.root / "params.yaml").write_text("other: 1\n")
        reason = "params.yaml: lacks scale"
    else:
        file = pipeline.root / "dvc.yaml"
        file.write_text(
            file.read_text().replace("code/total.py\n", "code/total.py ${no.such}\n", 1)
        )
        reason = "Could not find 'no.such'"
    graph = pipeline.definitions().resolve_asset_graph()
    assert reason in (graph.get(dg.AssetKey("total")).description or "")
    assert graph.get(dg.AssetKey("total")).tags["dvc/problem"] == "true"
    pipeline.materialize("prepare")
    result = pipeline.materialize("total", is_expected_to_work=False)
    assert reason in result.failure_data_for_node("total").user_failure_data.description
    assert not result.retry_attempts_for_node("total")


def test_repository_of_data_alone_is_observed(empty: Path):
    (empty / "data.csv").write_text("1\n")
    run(empty, "dvc", "add", "-q", "data.csv")
    assert keys(empty) == {"data.csv": encode("data.csv")}
