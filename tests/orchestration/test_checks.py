"""What the stages found is shown as it is, and a failure stops what follows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml
from dagster._core.loader import LoadingContextForTest

from dagster_dvc.assets import build_assets
from dagster_dvc.hooks import Hooks
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator
from orchestration.defs import checks
from orchestration.project import ROOT
from smar.artifacts import write_json
from smar.cli import STAGES, main
from smar.data import schema
from smar.paths import Paths
from tests.test_pipeline import make_project, set_params
from tests.test_repro import run

SMALL: dict[str, Any] = {
    "ingest.demo": {"num_items": 120, "num_searches": 300},
    "ingest.images": {"height": 16, "width": 16, "max_pixels": 100_000},
    "pretrain.steps": 2,
    "finetune.steps": 2,
}
MADE = [stage for stage in STAGES if stage not in {"evaluate", "promote", "drift"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, from data to index."""
    root = make_project(tmp_path_factory.mktemp("shop"))
    set_params(root, SMALL)
    for stage in MADE:
        assert main([stage, "--root", str(root), "-q"]) == 0
    return root


@pytest.fixture
def shop(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop, to be damaged, as the project of the checks."""
    import shutil

    root = Path(shutil.copytree(made, tmp_path / "shop"))
    monkeypatch.setattr(checks, "ROOT", root)
    return root


def evaluate(name: str, only: str = "") -> dict[str, dg.AssetCheckEvaluation]:
    """Return what Dagster records of the checks of an asset, by name, without the stage's run."""
    made = dg.Definitions(assets=[dg.AssetSpec(name)], asset_checks=checks.CHECKS[name])
    selection = dg.AssetSelection.checks_for_assets(name)
    if only:
        selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(name), only))
    job = dg.define_asset_job("checks", selection)
    made = dg.Definitions.merge(made, dg.Definitions(jobs=[job]))
    result = made.resolve_job_def("checks").execute_in_process(raise_on_error=False)
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


ASSETS = ["validate", "synthesize", "pretrain", "finetune", "embed", "index"]


@pytest.mark.parametrize("asset", ASSETS)
def test_sound_artefacts_pass(shop: Path, asset: str):
    results = evaluate(asset)
    assert results
    assert {name: result.passed for name, result in results.items()} == dict.fromkeys(results, True)


def test_contracts_warn_or_block_by_the_severity_of_what_broke(shop: Path):
    report = Paths(shop).validation_report / "results.json"
    results = json.loads(report.read_text())
    rule = next(rule for rule in results["rules"] if rule["table"] == "items")
    rule |= {"success": False, "severity": "warn", "observed": "40 of them"}
    write_json(report, results)
    found = evaluate("validate")["items_contract"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "40 of them" in found.description
    rule["severity"] = "stop"
    write_json(report, results)
    assert evaluate("validate")["items_contract"].severity == dg.AssetCheckSeverity.ERROR
    assert evaluate("validate")["queries_contract"].passed


def test_contracts_block_when_the_tables_are_not_those_of_the_report(shop: Path):
    items = pd.read_parquet(Paths(shop).ingested("items"))
    items.iloc[1:].to_parquet(Paths(shop).ingested("items"), index=False)
    found = evaluate("validate")["items_contract"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found.description.startswith("data/items.parquet changed since")


def test_one_contract_can_be_checked_by_itself(shop: Path):
    found = evaluate("validate", only="queries_contract")
    assert {name: result.passed for name, result in found.items()} == {"queries_contract": True}


@pytest.mark.parametrize("asset", ["synthesize", "finetune", "embed", "index"])
def test_what_the_stage_found_is_shown_as_it_is(shop: Path, asset: str):
    file = Paths(shop).outcome(asset)
    content = json.loads(file.read_text())
    rows = [{"splits": "validation and train", "query": "red boot"}]
    content["checks"][0] |= {"passed": False, "text": "three are broken", "rows": rows}
    write_json(file, content)
    name = content["checks"][0]["name"]
    result = evaluate(asset)[name]
    assert not result.passed
    assert result.blocking
    assert result.description == "three are broken"
    shown = result.metadata["rows"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert shown.records[0].data == rows[0]


def test_check_of_a_stage_that_was_stopped_before_it_is_shown_as_not_made(shop: Path):
    items = pd.read_parquet(Paths(shop).items)
    items.loc[0, "item_id"] = "new one"
    schema.write_table(Paths(shop).items, items, schema.ITEMS)
    assert main(["index", "--root", str(shop), "-q"]) == 2
    results = evaluate("index")
    coverage = results["every_item_is_indexed"]
    assert not coverage.passed
    assert "1 items are missing: new one" in coverage.description
    recall = results["index_finds_what_exact_search_finds"]
    assert not recall.passed
    assert "not made, or an earlier check stopped the stage" in recall.description


def test_outcome_is_not_shown_for_other_inputs(shop: Path):
    items = pd.read_parquet(Paths(shop).items)
    schema.write_table(Paths(shop).items, items.iloc[::-1], schema.ITEMS)
    found = evaluate("embed")["every_item_is_embedded"]
    assert not found.passed
    assert found.description.startswith(
        "data/accepted/items.parquet changed since data/embeddings was made"
    )


def test_stage_that_never_ran_has_no_outcome(shop: Path):
    Paths(shop).outcome("embed").unlink()
    assert not any(result.passed for result in evaluate("embed").values())


@pytest.mark.whole
def test_contract_that_stops_the_stage_is_red_on_its_page(shop: Path, instance: dg.DagsterInstance):
    """Validate run by DVC from Dagster, over fewer items than there have to be."""
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["validate"]
    stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("smar/")]
    (shop / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"validate": stage}}))
    run(shop, "dvc", "init", "--no-scm", "-q")
    set_params(shop, {"validate.items.min_rows": 10_000})
    hooks = Hooks(checkers=[checks.outcomes])
    assets = build_assets(Repository(shop), DvcTranslator(), hooks=hooks)
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=checks.CHECKS["validate"],
        resources={"dvc": DvcResource(root=str(shop))},
        jobs=[dg.define_asset_job("job", dg.AssetSelection.assets("validate"))],
    )
    result = definitions.resolve_job_def("job").execute_in_process(
        instance=instance, raise_on_error=False
    )
    failure = result.failure_data_for_node("validate")
    assert failure
    assert "rules stop the work" in str(failure.user_failure_data)
    keys = [dg.AssetCheckKey(dg.AssetKey("validate"), f"{t}_contract") for t in checks.TABLES]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    context = LoadingContextForTest(instance)
    status = {
        key.name: asyncio.run(record.resolve_status(context)).value for key, record in found.items()
    }
    assert status["items_contract"] == "FAILED"
    evaluation = found[keys[0]].evaluation
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert evaluation.metadata["stops"].value
    assert evaluation.description == "rows: expected at least 10000 rows; saw 120"
    assert all(asyncio.run(r.targets_latest_materialization(context)) for r in found.values())


def test_worse_candidate_is_a_warning(shop: Path):
    record = {"name": "not_worse_than_the_release", "passed": False, "text": "recall@50 is lower"}
    write_json(Paths(shop).outcome("evaluate"), {"checks": [record]})
    result = evaluate("evaluate")["not_worse_than_the_release"]
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert not result.blocking
    assert result.description == "recall@50 is lower"


def test_refused_candidate_shows_the_reasons(shop: Path):
    rules = [{"name": "overall", "passed": False, "text": "lost too much"}]
    decision = {"verdict": "refused", "reasons": ["lost too much"], "rules": rules}
    write_json(shop / "reports" / "promote" / "decision.json", decision)
    result = evaluate("promote")["candidate_was_promoted"]
    assert (result.passed, result.description) == (False, "lost too much")


def test_every_stage_of_the_pipeline_that_can_go_wrong_quietly_is_checked():
    judged_by_others = {"ingest", "drift"}  # validate judges the one; the other itself judges
    unchecked = set(STAGES) - set(checks.CHECKS) - judged_by_others
    assert not unchecked, f"declare `checks` in the STAGE of {', '.join(sorted(unchecked))}"
