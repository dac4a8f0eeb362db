"""Checks of the data, the model and the index: smar's own rules, shown on the asset they are about.

A blocking check that fails keeps what follows from running. Each reads the artefacts and nothing
else, so that it can also be executed by itself.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.loading import load_once
from orchestration.project import ROOT

TABLES = ("items", "queries", "searches", "engagements", "judgements")
_SHOWN = 20
_LOSS = 0.02
_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            f"{table}_contract",
            asset="validate",
            blocking=True,
            description=f"The accepted table `{table}` keeps the contract in `smar/validation/`.",
        )
        for table in TABLES
    ],
    can_subset=True,  # else none could be executed without the stage
)
def contracts(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """What the stage found; a broken rule that only warns does not block."""
    from smar.paths import Paths

    report = Paths(ROOT).validation_report
    rules = json.loads((report / "results.json").read_text(encoding="utf-8"))["rules"]
    stale = _changed_inputs(report)
    asked = {key.name for key in context.selected_asset_check_keys}
    for table in (table for table in TABLES if f"{table}_contract" in asked):
        own = [rule for rule in rules if rule["table"] == table]
        broken = [r for r in own if not r["success"] and r["severity"] != "quarantine"]
        stops = [rule for rule in broken if rule["severity"] == "stop"]
        problems = [f"{r['column']}: expected {r['expected']}; {r['observed']}" for r in broken]
        if stale:
            problems.insert(0, f"{', '.join(stale)} changed since: materialise validate again")
        columns = ("rule", "severity", "expected", "observed", "broken", "success")
        yield dg.AssetCheckResult(
            asset_key="validate",
            check_name=f"{table}_contract",
            passed=not problems,
            severity=_ERROR if stops or stale else _WARN,
            description="; ".join(problems),
            metadata={
                "rules": len(own),
                "broken": len(broken),
                "quarantined": sum(r["broken"] for r in own if r["severity"] == "quarantine"),
                "results": _rows(own, columns),
            },
        )


def _changed_inputs(report: Path) -> list[str]:
    """Return the inputs that are not those the report is about."""
    from smar.artifacts import digest

    inputs = json.loads((report / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    return [name for name, then in inputs.items() if digest(ROOT / name) != then]


@dg.asset_check(asset="synthesize", blocking=True)
def splits_do_not_leak() -> dg.AssetCheckResult:
    """No text that is held out is also trained on."""
    from smar.data import schema
    from smar.paths import Paths
    from smar.synthetic.leakage import leaked_texts

    paths = Paths(ROOT)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    synthetic = schema.read_table(paths.synthetic / "queries.parquet", schema.SYNTHETIC)
    leaked = leaked_texts(queries, synthetic)
    shown = [{"splits": s, "query": q} for s, texts in leaked.items() for q in texts[:_SHOWN]]
    return dg.AssetCheckResult(
        passed=not any(leaked.values()),
        description="; ".join(f"{len(texts)} texts in {s}" for s, texts in leaked.items() if texts),
        metadata={name: len(texts) for name, texts in leaked.items()}
        | {"leaked": _rows(shown, ("splits", "query"))},
    )


def _weights_check(stage: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=stage, name="weights_are_finite", blocking=True)
    def check() -> dg.AssetCheckResult:
        """Every weight of the model is a number."""
        from smar.models.health import broken_weights
        from smar.paths import Paths

        paths = Paths(ROOT)
        path = paths.pretrained if stage == "pretrain" else paths.retriever
        total, broken = broken_weights(path)
        return dg.AssetCheckResult(
            passed=not broken,
            description=f"NaN or infinity in {', '.join(broken[:_SHOWN])}" if broken else "",
            metadata={"tensors": total, "broken": len(broken)},
        )

    return check


@dg.asset_check(asset="embed", blocking=True)
def rows_have_unit_norm() -> dg.AssetCheckResult:
    """Every item vector is finite and of length 1, so that inner product is cosine."""
    from smar.errors import ArtifactError
    from smar.index.store import EmbeddingStore
    from smar.paths import Paths

    try:
        store = EmbeddingStore.load(Paths(ROOT).embeddings)
    except ArtifactError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    shape = {"rows": len(store.item_ids), "dim": int(store.text.shape[1])}
    return dg.AssetCheckResult(passed=True, metadata=shape)


@dg.asset_check(asset="embed", blocking=True)
def every_item_is_embedded() -> dg.AssetCheckResult:
    """The embeddings cover the catalogue."""
    import pandas as pd

    from smar.index.coverage import missing_items
    from smar.paths import Paths

    paths = Paths(ROOT)
    catalogue = list(pd.read_parquet(paths.items, columns=["item_id"])["item_id"])
    held = list(pd.read_parquet(paths.embeddings / "items.parquet")["item_id"])
    missing = missing_items(catalogue, held)
    return dg.AssetCheckResult(
        passed=not missing,
        description=f"without a vector: {', '.join(missing[:_SHOWN])}" if missing else "",
        metadata={
            "items": len(catalogue),
            "missing": len(missing),
            "coverage": 1 - len(missing) / max(1, len(catalogue)),
        },
    )


@dg.asset_check(asset="index", blocking=True)
def index_finds_what_exact_search_finds() -> dg.AssetCheckResult:
    """The index reaches `index.recall_target` against exact search, measured anew."""
    from smar.index.ann import VectorIndex, set_faiss_threads
    from smar.index.coverage import index_recall
    from smar.index.store import EmbeddingStore
    from smar.params import load_params
    from smar.paths import Paths
    from smar.seeding import generator

    paths = Paths(ROOT)
    params = load_params(paths.params)
    set_faiss_threads(params.threads)
    index, store = VectorIndex.load(paths.index), EmbeddingStore.load(paths.embeddings)
    k, sample = params.index.recall_at, params.index.sample_queries
    recall = index_recall(index, store, k, sample, generator(params.seed, "index check"))
    # A sample other than the one the index was chosen by may lie a little lower.
    floor = params.index.recall_target - _LOSS
    return dg.AssetCheckResult(
        passed=recall >= floor,
        description=f"recall@{k} {recall:.4f}, at least {floor:.4f} expected",
        metadata={f"recall@{k}": recall, "queries": sample, "kind": index.details["kind"]},
    )


@dg.asset_check(asset="evaluate")
def not_worse_than_the_release() -> dg.AssetCheckResult:
    """The primary metric beside the current release's; the gate of `promote` decides."""
    import json

    from smar.evaluation.regression import regressions
    from smar.params import load_params
    from smar.paths import Paths

    paths = Paths(ROOT)
    released = ROOT / "releases" / "current" / "metrics" / "evaluate.json"
    metric = load_params(paths.params).evaluate.primary
    if not released.is_file():
        return dg.AssetCheckResult(passed=True, description="there is no release to compare with")
    old = json.loads(released.read_text(encoding="utf-8"))
    new = json.loads(paths.metrics("evaluate").read_text(encoding="utf-8"))
    found = regressions(old, new, metric)
    worse = [entry for entry in found if entry.loss > _LOSS]
    return dg.AssetCheckResult(
        passed=not worse,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(
            f"{e.query_set}: {metric} {e.new:.4f}, the release has {e.old:.4f}" for e in found
        ),
        metadata={f"{e.query_set} {metric} gained": -e.loss for e in found},
    )


@dg.asset_check(asset="promote")
def candidate_was_promoted() -> dg.AssetCheckResult:
    """The gate let the candidate become the release."""
    import json

    content = json.loads((ROOT / "reports/promote/decision.json").read_text(encoding="utf-8"))
    return dg.AssetCheckResult(
        passed=content["verdict"] == "promoted",
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(content["reasons"]) or f"verdict: {content['verdict']}",
        metadata={"rules": _rows(content["rules"], ("name", "passed", "text"))},
    )


def _rows(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> dg.TableMetadataValue:
    records = [dg.TableRecord({name: str(row.get(name, "")) for name in columns}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table(records, schema=schema)


CHECKS: dict[str, list[dg.AssetChecksDefinition]] = {
    "validate": [contracts],
    "synthesize": [splits_do_not_leak],
    "pretrain": [_weights_check("pretrain")],
    "finetune": [_weights_check("finetune")],
    "embed": [rows_have_unit_norm, every_item_is_embedded],
    "index": [index_finds_what_exact_search_finds],
    "evaluate": [not_worse_than_the_release],
    "promote": [candidate_was_promoted],
}


@dg.definitions
def defs() -> dg.Definitions:
    """Return the checks of the stages that dvc.yaml has."""
    stages = load_once(ROOT).stages
    return dg.Definitions(
        asset_checks=[check for stage, own in CHECKS.items() if stage in stages for check in own]
    )
