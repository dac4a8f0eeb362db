"""What a defs.yaml can say, read from YAML and seen in the definitions of a real repository."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dvc.errors import SettingsError
from dagster_dvc.tests.support import RAW, component, write_pipeline

STAGES: dict[str, Any] = {
    "prepare": {"cmd": "cp raw.txt data.txt", "deps": ["raw.txt"], "outs": ["data.txt"],
                "meta": {"owners": ["ann@example.org"], "team": "maths"}},
    "train": {
        "foreach": ["a", "b"],
        "do": {"cmd": "cp data.txt model-${item}.txt", "deps": ["data.txt"],
               "outs": ["model-${item}.txt"], "meta": {"checks": {"acc.${item}": {"min": 1}}}},
    },
    "scratch": {"cmd": "cp model-a.txt s.txt", "deps": ["model-a.txt"], "outs": ["s.txt"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def project(initialised_once: Path) -> Path:
    """A repository that nothing ever runs in."""
    (initialised_once / "raw.txt").write_text("1\n")
    write_pipeline(initialised_once, {"stages": STAGES})
    return initialised_once


def definitions(root: Path, **attributes: Any) -> dg.Definitions:
    found = component(root, **attributes).definitions(root)
    found.resolve_all_job_defs()
    return found


def keys(definitions: dg.Definitions) -> set[str]:
    return {k.to_user_string() for k in definitions.resolve_asset_graph().get_all_asset_keys()}


def spec(found: dg.Definitions, key: str) -> dg.AssetSpec:
    return next(
        s for s in found.resolve_all_asset_specs() if s.key == dg.AssetKey.from_user_string(key)
    )


def test_stages_are_selected_and_excluded_by_pattern(project: Path):
    assert keys(definitions(project)) == {RAW, "prepare", "train/a", "train/b", "scratch"}
    assert keys(definitions(project, exclude=["scr*"])) == {
        RAW, "prepare", "train/a", "train/b",
    }  # fmt: skip
    one = definitions(project, select=["train"], exclude=["*@b"])
    graph = one.resolve_asset_graph()
    assert {k.to_user_string() for k in graph.materializable_asset_keys} == {"train/a"}
    # What is read stays in the graph, as something that others make.
    assert spec(one, "train/a").deps == [dg.AssetDep("prepare")]


def test_pattern_that_matches_nothing_is_told(project: Path, caplog: pytest.LogCaptureFixture):
    definitions(project, select=["trian*", "prepare"], groups={"data": ["prepare", "evaluate"]})
    said = [
        record.getMessage() for record in caplog.records if record.name.startswith("dagster_dvc")
    ]
    assert len(said) == 2
    assert "select: 'trian*' matches no stage; there are: prepare, " in said[0]
    assert "groups: 'evaluate' matches no stage" in said[1]


def test_keys_have_a_prefix_and_stages_a_group(project: Path):
    found = definitions(
        project, key_prefix=["shop", "ml"], groups={"data": ["prep*"], "models": ["train"]},
        sources_group="raw",
    )  # fmt: skip
    assert "shop/ml/train/a" in keys(found)
    assert spec(found, f"shop/ml/{RAW}").group_name == "raw"
    assert spec(found, "shop/ml/prepare").group_name == "data"
    assert spec(found, "shop/ml/train/b").group_name == "models"
    assert [d.asset_key for d in spec(found, "shop/ml/prepare").deps] == [
        dg.AssetKey(["shop", "ml", RAW])
    ]


def test_translation_is_a_template_over_stage_and_spec(project: Path):
    found = definitions(
        project,
        translation={
            "key": "{{ 'my/' ~ spec.key.to_user_string() }}",
            "description": "{{ stage.cmd }} of {{ stage.file }}",
            "group_name": "{{ stage.template or 'single' }}",
            "tags": {"team": "{{ stage.meta.get('team', 'none') }}"},
            "owners": ["team:{{ stage.name.partition('@')[0] }}"],
        },
    )
    one = spec(found, "my/prepare")
    assert one.description == "cp raw.txt data.txt of dvc.yaml"
    assert (one.group_name, one.tags["team"], one.owners) == ("single", "maths", ["team:prepare"])
    assert spec(found, "my/train/a").group_name == "train"
    assert [d.asset_key for d in spec(found, "my/train/a").deps] == [dg.AssetKey(["my", "prepare"])]


def test_translation_that_dagster_does_not_take_names_stage_and_file(project: Path):
    made = component(project, translation={"tags": {"stage": "{{ stage.name }}!"}})
    with pytest.raises(SettingsError, match=r"dvc\.yaml: stage '.*': translation: Invalid tag"):
        made.definitions(project)


def test_owners_tags_and_kinds(project: Path):
    found = definitions(project, owners=["team:search"], tags={"cost": "low"}, kinds=["python"])
    assert spec(found, "prepare").owners == ["ann@example.org"]
    assert spec(found, "scratch").owners == ["team:search"]
    assert spec(found, "scratch").tags["cost"] == "low"
    assert spec(found, "scratch").kinds == {"python", "txt"}


def test_retries_exits_and_pools(project: Path):
    found = definitions(
        project, retries={"times": 5, "delay_s": 1.5}, transient_exits=[9],
        pools={"train": "gpu", "*": "cpu"}, grace_s=7.5,
    )  # fmt: skip
    nodes = {n.name: n.definition for n in found.resolve_implicit_global_asset_job_def().nodes}
    assert nodes["train__a"].retry_policy.max_retries == 5
    assert nodes["train__a"].retry_policy.delay == 1.5
    assert (nodes["train__a"].pool, nodes["prepare"].pool) == ("gpu", "cpu")
    resource: Any = (found.resources or {})["dvc"]
    assert (list(resource.transient_exits), resource.grace_s) == ([9], 7.5)


def test_automation_and_freshness(project: Path):
    found = definitions(project, automation="changed", freshness={"train": 24, "prepare": 1.5})
    assert spec(found, "train/a").automation_condition is not None
    policy = spec(found, "prepare").freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1.5))
    assert spec(found, "scratch").freshness_policy is None
    with pytest.raises(SettingsError, match="automation: 'eager' is none of none, changed"):
        definitions(project, automation="eager")
    with pytest.raises(SettingsError, match=r"freshness: 'train': 0\.01 hours; .*0\.0167 hours"):
        definitions(project, freshness={"train": 0.01})


def test_unknown_attribute_is_refused_with_its_place(project: Path):
    with pytest.raises(Exception, match="selects"):
        definitions(project, selects=["a"])


def test_several_repositories_stand_in_one_code_location(project: Path, empty: Path):
    write_pipeline(empty, {"stages": {"prepare": {"cmd": "touch x", "outs": ["x"]}}})
    both = dg.Definitions.merge(
        definitions(project), definitions(empty, name="second", key_prefix=["second"])
    )
    assert {"prepare", "second/prepare"} <= keys(both)
    both.resolve_all_job_defs()
    assert set(both.resources or {}) == {"dvc", "dvc_second"}
    names = {sensor.name for sensor in both.sensors or []}
    assert {"dvc_sync", "dvc_sync_second"} <= names
