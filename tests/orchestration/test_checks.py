"""Sound artefacts pass, each kind of damage fails its check, a failure stops what follows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from orchestration.defs import checks
from smar.artifacts import digest, write_json
from smar.cli import STAGES, main
from smar.data import schema
from smar.paths import Paths
from tests.test_pipeline import make_project, set_params

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


def spoil_synthetic(paths: Paths) -> None:
    queries = pd.read_parquet(paths.queries)
    table = pd.read_parquet(paths.synthetic / "queries.parquet")
    held_out = queries.loc[queries["split"] == "validation", "query"].iloc[0]
    row = table.index[table["split"] == "train"][0]
    table.loc[row, "query"] = held_out
    schema.write_table(paths.synthetic / "queries.parquet", table, schema.SYNTHETIC)


def spoil_weights(paths: Paths) -> None:
    file = paths.retriever / "model.safetensors"
    weights = load_file(file)
    name = next(name for name, value in weights.items() if value.dtype == np.float32)
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, file)


def spoil_norms(paths: Paths) -> None:
    rows = np.load(paths.embeddings / "text.npy")
    rows[3] *= 2
    np.save(paths.embeddings / "text.npy", rows)


def spoil_coverage(paths: Paths) -> None:
    items = pd.read_parquet(paths.items)
    items.loc[0, "item_id"] = "new one"
    schema.write_table(paths.items, items, schema.ITEMS)


def spoil_index(paths: Paths) -> None:
    """Rows in another order: the index answers, and finds the wrong items."""
    import faiss

    file = str(paths.index / "index.faiss")
    index = faiss.read_index(file)
    rows = index.reconstruct_n(0, index.ntotal)
    turned = faiss.IndexFlatIP(index.d)
    turned.add(rows[::-1].copy())
    faiss.write_index(turned, file)


@pytest.mark.parametrize(
    ("asset", "check", "spoil", "message"),
    [
        ("synthesize", "splits_do_not_leak", spoil_synthetic, "1 texts in held-out and synthetic"),
        ("finetune", "weights_are_finite", spoil_weights, "NaN or infinity in "),
        ("embed", "rows_have_unit_norm", spoil_norms, "1 of 120 rows are not of unit norm"),
        ("embed", "every_item_is_embedded", spoil_coverage, "without a vector: new one"),
        ("index", "index_finds_what_exact_search_finds", spoil_index, "recall@50"),
    ],
)
def test_damage_fails_its_check(
    shop: Path,
    reseal: Callable[[Path], None],
    asset: str,
    check: str,
    spoil: Callable[[Paths], None],
    message: str,
):
    spoil(Paths(shop))
    for folder in (Paths(shop).retriever, Paths(shop).embeddings, Paths(shop).index):
        reseal(folder)
    result = evaluate(asset)[check]
    assert not result.passed
    assert message in result.description


def test_candidate_is_held_against_the_release(shop: Path):
    def figures(recall: float) -> dict[str, Any]:
        return {"test": {"gated": {"recall@50": recall}}}

    write_json(Paths(shop).metrics("evaluate"), figures(0.5))
    result = evaluate("evaluate")["not_worse_than_the_release"]
    assert (result.passed, result.description) == (True, "there is no release to compare with")
    write_json(shop / "releases" / "current" / "metrics" / "evaluate.json", figures(0.6))
    result = evaluate("evaluate")["not_worse_than_the_release"]
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.description == "test: recall@50 0.5000, the release has 0.6000"
    write_json(Paths(shop).metrics("evaluate"), figures(0.59))
    assert evaluate("evaluate")["not_worse_than_the_release"].passed


def test_refused_candidate_shows_the_reasons(shop: Path):
    rules = [{"name": "overall", "passed": False, "text": "lost too much"}]
    decision = {"verdict": "refused", "reasons": ["lost too much"], "rules": rules}
    write_json(shop / "reports" / "promote" / "decision.json", decision)
    result = evaluate("promote")["candidate_was_promoted"]
    assert (result.passed, result.description) == (False, "lost too much")


def test_every_stage_of_the_pipeline_that_can_go_wrong_quietly_is_checked():
    stages = yaml.safe_load((checks.ROOT / "dvc.yaml").read_text())["stages"]
    assert set(checks.CHECKS) >= set(stages) - {
        "ingest",
        "drift",
    }  # validate judges the one, the other judges
    assert digest(checks.ROOT / "dvc.yaml")
