"""Stages as asset specs: what is shown, and what may be overridden."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dvc.assets import build_assets
from dagster_dvc.manifest import Stage
from dagster_dvc.repository import Repository
from dagster_dvc.settings import TranslatorSettings
from dagster_dvc.tests.support import RAW, Pipeline
from dagster_dvc.translator import DvcTranslator


def specs(root: Path, translator: DvcTranslator) -> dict[str, dg.AssetSpec]:
    repository = Repository(root)
    return {
        name: translator.get_asset_spec(stage, repository)
        for name, stage in repository.manifest.stages.items()
    }


def test_spec_says_what_dvc_yaml_says(repository: Path):
    settings = TranslatorSettings(
        code=["code/*"], groups={"numbers": ["prepare", "total"]}, owners=["team:maths"],
        tags={"cost": "low"},
    )  # fmt: skip
    spec = specs(repository, DvcTranslator(settings))["total"]
    assert spec.key == dg.AssetKey("total")
    assert spec.description == "Their sum.\n\n```sh\npython code/total.py\n```"
    assert spec.group_name == "numbers"
    assert spec.owners == ["team:maths"]
    assert spec.tags["cost"] == "low"
    assert spec.kinds == {"dvc", "txt"}
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey("prepare")]
    assert spec.automation_condition is None


def test_raw_input_is_a_source_and_code_is_not(repository: Path, translator: DvcTranslator):
    assets = build_assets(Repository(repository), translator)
    keys = {key.to_user_string(): asset for asset in assets for key in asset.keys}
    assert set(keys) == {"prepare", "total", "page", RAW}
    assert keys[RAW].is_observable
    deps = specs(repository, translator)["prepare"].deps
    assert [dep.asset_key for dep in deps] == [dg.AssetKey(RAW)]


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("params.yaml", "scale: 11\nother: 1\n", {"total"}),
        ("params.yaml", "scale: 10\nother: 2\n", set()),
        ("code/scale.py", "# another\n", {"total"}),
        ("raw.txt", "9\n", set()),
    ],
)
def test_code_version_covers_commands_parameters_and_code(
    repository: Path, translator: DvcTranslator, file: str, text: str, changed: set[str]
):
    before = specs(repository, translator)
    (repository / file).write_text(text)
    after = specs(repository, translator)
    assert {n for n in before if before[n].code_version != after[n].code_version} == changed


def test_one_method_can_be_overridden(repository: Path):
    class Prefixed(DvcTranslator):
        def get_asset_key(self, stage: Stage) -> dg.AssetKey:
            return super().get_asset_key(stage).with_prefix("shop")

    spec = specs(repository, Prefixed(TranslatorSettings(code=["code/*"])))["total"]
    assert spec.key == dg.AssetKey(["shop", "total"])
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["shop", "prepare"])]


def test_automation_runs_a_stage_for_other_data_only(pipeline: Pipeline):
    settings = TranslatorSettings(code=["code/*"], automation="changed")
    pipeline.translator = DvcTranslator(settings)

    def requested(cursor: Any) -> Any:
        return dg.evaluate_automation_conditions(
            defs=pipeline.definitions(), instance=pipeline.instance, cursor=cursor
        )

    pipeline.materialize()
    first = requested(None)
    pipeline.materialize("prepare")
    same = requested(first.cursor)
    assert same.get_num_requested(dg.AssetKey("total")) == 0
    (pipeline.root / "raw.txt").write_text("8\n")
    pipeline.materialize("prepare")
    other = requested(same.cursor)
    assert other.get_num_requested(dg.AssetKey("total")) == 1
    assert other.get_num_requested(dg.AssetKey("page")) == 0
