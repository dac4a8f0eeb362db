"""Studies: a small study for real, from prepared data to the report."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from smar.artifacts import verify_directory
from smar.data import schema
from smar.paths import Paths
from studies.__main__ import main
from studies.paths import StudyPaths

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
TOWER = {"hidden": 24, "layers": 1, "heads": 2}
BASE = {
    "ingest.demo": {"num_items": 150, "num_searches": 600},
    "model.dim": 16,
    "index.word_share": 0.0,
    "model.shared_words": False,
    "ingest.images": {"height": 32, "width": 32, "max_pixels": 100_000},
    **{
        f"{stage}.{key}": value
        for stage in ("pretrain", "finetune")
        for key, value in {"steps": 2, "items_per_step": 32, "precision": "float32"}.items()
    },
    "pretrain.learning_rate": 0.0001,  # two small steps teach little: BM25 is clearly better
    "finetune.learning_rate": 0.0001,
    "evaluate.examples": 4,
    "evaluate.bootstrap": 100,
    **{
        f"model.{tower}.{key}": v
        for tower in ("query", "text", "image")
        for key, v in TOWER.items()
    },
}


def pictures(**changes: object) -> dict[str, object]:
    return {"wrong_frac": 0.0, "generic_frac": 0.0, "max_per_item": None} | changes


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two variants on two forms of the data, two runs done."""
    root = tmp_path_factory.mktemp("study")
    shutil.copy(ROOT / "params.yaml", root)
    StudyPaths(root).plan.parent.mkdir()
    plan = yaml.safe_load((ROOT / "studies" / "params.yaml").read_text())
    plan["base"] = BASE
    plan["variants"] = {"smar": {}, "plain": {"model.fusion": "concat"}}
    plan["data"] = {
        "demo": {"pictures": pictures(), "settings": {}},
        "wrong": {"pictures": pictures(wrong_frac=0.5), "settings": {}},
        "spoilt": {"pictures": pictures(generic_frac=0.5, max_per_item=1), "settings": {}},
    }
    plan["matrix"] = {"data": ["demo"], "variants": ["smar", "plain"], "seeds": [7]}
    plan["forms"] = {"data": ["wrong", "spoilt"], "variants": ["smar"], "seeds": [7]}
    plan["finalists"] = {"data": ["demo"], "variants": ["smar"], "seeds": [8]}
    table = plan["tables"][0]
    plan["tables"] = [
        table
        | {"against": "smar", "data": ["demo"], "rows": ["smar", "plain", "bm25s", "smar:bm25"]}
    ]
    plan["figures"] = []
    StudyPaths(root).plan.write_text(yaml.safe_dump(plan))
    for step in (["prepare", "demo"], ["run", "demo", "smar", "7"], ["run", "demo", "smar", "8"]):
        assert main([*step, "--root", str(root), "-q"]) == 0
    peer = [sys.executable, "-m", "benchmarks.quality.bm25", "demo", "--root", str(root)]
    subprocess.run(peer, cwd=ROOT, check=True, capture_output=True)
    return root


def test_results_verify_and_the_work_folder_is_gone(study: Path):
    verify_directory(StudyPaths(study).result("demo", "smar", 7), "study-result")
    verify_directory(StudyPaths(study).data("demo"), "study-data")
    assert not (Paths(study).work / "study" / "demo-smar-7").exists()


def test_report_tests_rows_over_seeds_and_names_what_was_not_run(
    study: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["report", "--root", str(study)]) == 0
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if line.startswith("| smar |"))
    both = [
        pd.read_parquet(StudyPaths(study).result("demo", "smar", seed) / "per_query.parquet")
        for seed in (7, 8)
    ]
    means = [
        table[(table["set"] == "test") & (table["system"] == "hybrid")]["recall@50"].mean()
        for table in both
    ]
    assert f"{np.mean(means):.4f} \u00b1{np.std(means, ddof=1):.4f}" in row
    assert "Not run: plain." in text
    row = next(line for line in text.splitlines() if line.startswith("| smar:bm25"))
    assert float(re.search(r"p (0\.\d{4}) ", row)[1]) < 0.05
    judged = both[0][both[0]["set"] == "test"]["query_id"].nunique()
    assert f" {judged} test queries;" in text
    page = (StudyPaths(study).report / "index.html").read_text()
    assert "smar:bm25" in page
    assert "<script" not in page


def test_peer_stands_in_the_table_with_the_setting_that_validation_chose(
    study: Path, capsys: pytest.CaptureFixture[str]
):
    result = StudyPaths(study).result("demo", "bm25s", 7)
    tried = json.loads((result / "metrics.json").read_text())["tried"]
    best = max(tried, key=lambda each: each["validation recall@50"])
    assert verify_directory(result, "study-result").params["settings"] == best["settings"]
    main(["report", "--root", str(study)])
    lines = capsys.readouterr().out.splitlines()
    peer, ours = (
        next(line for line in lines if line.startswith(f"| {name} |")).split(" | ")
        for name in ("bm25s", "smar:bm25")
    )
    means = [float(row[2].split()[0]) for row in (peer, ours)]
    assert abs(means[0] - means[1]) < 0.05  # other constants of the same formula


def test_wrong_pictures_are_exchanged_between_items(study: Path):
    assert main(["prepare", "wrong", "--root", str(study), "-q"]) == 0
    clean, wrong = (
        schema.read_table(Paths(StudyPaths(study).data(name)).items, schema.ITEMS)["image_ids"]
        for name in ("demo", "wrong")
    )
    pictured = clean.str.len() > 0
    differ = pd.Series([list(a) != list(b) for a, b in zip(clean, wrong, strict=True)])
    assert differ.sum() == round(0.5 * pictured.sum())
    assert sorted(map(list, clean)) == sorted(map(list, wrong))


def test_generic_pictures_are_the_same_everywhere_and_further_ones_are_left_out(study: Path):
    assert main(["prepare", "spoilt", "--root", str(study), "-q"]) == 0
    clean, spoilt = (
        schema.read_table(Paths(StudyPaths(study).data(name)).items, schema.ITEMS)["image_ids"]
        for name in ("demo", "spoilt")
    )
    assert clean.str.len().max() > 1
    assert (spoilt.str.len() == clean.str.len().clip(upper=1)).all()
    first = spoilt[spoilt.str.len() > 0].iloc[0]
    generic = spoilt.map(lambda ids: list(ids) == list(first)).sum()
    assert generic == pytest.approx(0.5 * (clean.str.len() > 0).sum(), abs=1)


def test_unprepared_data_is_refused(study: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(StudyPaths(study).data("wrong"), ignore_errors=True)
    assert main(["run", "wrong", "smar", "7", "--root", str(study)]) == 2
    assert "smar study prepare wrong" in capsys.readouterr().err


def test_unknown_variant_is_refused(study: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", "demo", "smra", "7", "--root", str(study)]) == 2
    assert "Did you mean 'smar'?" in capsys.readouterr().err
