"""Study tables: what is compared with what."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies.paths import StudyPaths
from studies.plan import StudyPlan
from studies.report import write_study_report

QUERIES = [f"q{number}" for number in range(40)]
LEVEL = np.linspace(0.2, 0.6, len(QUERIES))


def write_result(root: Path, variant: str, seed: int, values: np.ndarray, system: str) -> None:
    folder = StudyPaths(root).result("shop", variant, seed)
    folder.mkdir(parents=True)
    metrics = {"data": "shop", "variant": variant, "seed": seed, "finetune": {"seconds": 1.0}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    table = {
        "set": "test",
        "query_id": QUERIES,
        "system": system,
        "slices": "",
        "recall@50": values,
    }
    pd.DataFrame(table).to_parquet(folder / "per_query.parquet")


@pytest.fixture
def lines(tmp_path: Path) -> dict[str, str]:
    """Rows by name: a is much worse with seed 8, b and c have one seed, peer is another program.

    b ran before the search as served was named `hybrid`.
    """
    write_result(tmp_path, "a", 7, LEVEL, "hybrid")
    write_result(tmp_path, "a", 8, LEVEL - 0.2, "hybrid")
    write_result(tmp_path, "b", 7, LEVEL + 0.05, "gated")
    write_result(tmp_path, "c", 9, LEVEL, "hybrid")
    write_result(tmp_path, "peer", 7, LEVEL, "peer")
    runs = {"data": ["shop"], "variants": ["a"], "seeds": [7]}
    table = {
        "title": "All",
        "note": "",
        "set": "test",
        "data": ["shop"],
        "rows": ["a", "b", "c", "peer"],
        "against": "a",
        "metrics": ["recall@50"],
        "slices": [],
    }
    pictures = {"wrong_frac": 0.0, "generic_frac": 0.0, "max_per_item": None}
    plan = StudyPlan.model_validate(
        {
            "base": {},
            "data": {"shop": {"settings": {}, "pictures": pictures}},
            "variants": {"a": {}, "b": {}, "c": {}},
            "peers": ["peer"],
            "matrix": runs,
            "forms": runs,
            "finalists": runs,
            "tables": [table],
            "figures": [],
        }
    )
    StudyPaths(tmp_path).plan.write_text("")
    page = write_study_report(tmp_path, plan)
    text = (page.parent / "tables.md").read_text().splitlines()
    return {line.split(" | ")[0].strip("| "): line for line in text if line.startswith("| ")}


def test_variants_are_compared_over_the_seeds_that_both_have(lines: dict[str, str]):
    assert "+5.0 (+5.0 to +5.0)" in lines["b"]


def test_variants_without_a_common_seed_are_not_compared(lines: dict[str, str]):
    assert "no seed in common" in lines["c"]


def test_a_peer_is_compared_with_the_mean_of_all_seeds(lines: dict[str, str]):
    assert "+10.0 (+10.0 to +10.0)" in lines["peer"]


def test_the_reference_shows_its_mean_over_seeds_and_no_difference(lines: dict[str, str]):
    assert "0.3000 ±0.1414" in lines["a"]
    assert " p " not in lines["a"]
