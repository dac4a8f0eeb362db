"""The papers' tables: rows that exist, pairs of seeds, and what a killed run leaves."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.fair.results import Results
from benchmarks.papers import __main__ as papers
from benchmarks.papers.report import Row, paired, tables
from benchmarks.papers.rows import DATA, DEFAULT, TABLES, Place, variants_of
from benchmarks.papers.training import Ground, trained
from smar.losses import build_loss
from smar.params import Params
from smar.params.kinds import FUSIONS, GATES
from smar.train.course import finetune_course
from smar.train.curricula import build_course
from studies.__main__ import main as study
from studies.paths import StudyPaths
from studies.plan import apply_settings, load_plan

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "studies" / "params.yaml"


def frame(values: list[float], query_set: str = "test", system: str = DEFAULT) -> pd.DataFrame:
    number = len(values)
    return pd.DataFrame(
        {
            "set": query_set,
            "query_id": [f"q{row}" for row in range(number)],
            "query": [("striped dress", "blue sofa")[row % 2] for row in range(number)],
            "system": system,
            "slices": [("visual", "non_visual")[row % 2] for row in range(number)],
            "gate": [(0.8, 0.2)[row % 2] for row in range(number)],
        }
        | dict.fromkeys(("recall@50", "precision@50", "f1@50", "ndcg@1", "ndcg@10"), values)
    )


def test_rows_are_of_the_plan_and_have_every_fusion_and_gate():
    plan = load_plan(PLAN)
    assert set(DATA) <= set(plan.data)
    trained = [name for data in DATA for name in variants_of(data)]
    assert set(trained) <= set(plan.variants)
    settings = [plan.variants[name] for name in trained]
    fusions = {each.get("model.fusion", "cross_attention") for each in settings}
    assert fusions == set(FUSIONS)
    assert {each.get("gate.kind", "benefit") for each in settings} == set(GATES)


def test_the_row_of_one_loss_trains_one_task_and_fits_its_gate_afterwards():
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params = Params.model_validate(apply_settings(content, load_plan(PLAN).variants["one_loss"]))
    loss = build_loss(params.loss)
    for course in (
        build_course(params.pretrain, loss, params.curriculum, is_learned=False),
        finetune_course(params.finetune, loss, is_learned=False),
    ):
        assert course.weights.tasks == ["multimodal"]
    assert GATES[params.gate.kind].facts["SETTLES"]
    assert "one_loss" in variants_of("fashion_small_pictures")


def test_a_row_of_another_form_of_the_data_is_found_there():
    table = next(table for table in TABLES if table.data == "demo_two_sides")
    assert table.place("demo_first_side/smar") == Place("demo_first_side", "smar", "smar")
    assert table.place("smar:text") == Place("demo_two_sides", "smar", "smar:text")


def test_what_all_queries_and_seeds_gain_alike_is_sure_however_far_seeds_lie_apart():
    values = np.random.default_rng(0).random(40).round(2)
    seeds = {7: 0.0, 8: 0.3, 9: -0.2}
    reference = Row("a", {seed: frame(list(values + by)) for seed, by in seeds.items()}, [])
    row = Row("b", {s: frame(list(values + by + 0.01)) for s, by in seeds.items()}, [])
    found = paired(row, reference, "test", "recall@50")
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert paired(Row("b", {1: row.frames[7]}, []), reference, "test", "recall@50") is None


def test_report_says_what_is_sure_in_bold_and_leaves_out_what_was_not_run(tmp_path: Path):
    results = Results(tmp_path / "fashion_small_pictures")
    values = list(np.random.default_rng(0).random(40).round(2))
    steps = {"steps": {"pretrain": 2, "finetune": 4}}
    for row, gain in ((DEFAULT, 0.0), ("gate_always", 0.05), ("gate_never", 0.0)):
        for seed in (7, 8):
            both = [
                frame([value + gain for value in values], query_set, row)
                for query_set in ("test", "validation")
            ]
            results.add_final(row, {"seed": seed} | steps, pd.concat(both, ignore_index=True))
    lines = tables(tmp_path).splitlines()
    better = next(line for line in lines if line.startswith("| gate_always "))
    assert better.count("**+5.0 (+5.0 to +5.0)**") == 4
    assert "| 0.80, 0.20 | 2 + 4 | 7 8 |" in better
    assert " +0.0 (+0.0 to +0.0)" in next(x for x in lines if x.startswith("| gate_never "))
    assert not any(line.startswith("| gate_learned") for line in lines)
    assert not any("three stages" in line for line in lines)


@pytest.mark.slow
def test_rows_are_trained_for_seconds_and_a_second_call_changes_nothing(
    small_parameters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(small_parameters, tmp_path)
    plan = yaml.safe_load(PLAN.read_text())
    small = {"ingest.images": {"height": 20, "width": 10, "max_pixels": 40_000_000},
             "model.image.patch": 10}  # fmt: skip
    pictures = {"wrong_frac": 0.0, "generic_frac": 0.0, "max_per_item": None, "turned_frac": 0.5}
    plan |= {"base": {}, "data": {DATA[0]: {"settings": small, "pictures": pictures}}}
    plan |= {key: {"data": [], "variants": [], "seeds": []} for key in ("forms", "finalists")}
    plan |= {"matrix": plan["forms"], "tables": [], "figures": []}
    StudyPaths(tmp_path).plan.parent.mkdir()
    StudyPaths(tmp_path).plan.write_text(yaml.safe_dump(plan))
    assert study(["prepare", DATA[0], "--root", str(tmp_path), "-q"]) == 0
    folder = tmp_path / "papers"
    rows = ["smar", "staged", "gate_category", "learned_weights", "dpsr"]
    arguments = [str(tmp_path), "--folder", str(folder), "--data", DATA[0], "--seeds", "7",
                 "--seconds", "0.4", "--rows", *rows]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["papers", *arguments])
    papers.main()
    before = {path.name: path.read_bytes() for path in (folder / DATA[0]).iterdir()}
    assert set(before) == {f"{row}{end}" for row in rows for end in ("-7.parquet", "-finals.jsonl")}
    papers.main()
    assert {path.name: path.read_bytes() for path in (folder / DATA[0]).iterdir()} == before
    [line] = Results(folder / DATA[0]).finals("staged")
    assert min(line["steps"].values()) > 0
    ground = Ground(tmp_path, DATA[0])
    _, steps = trained(ground, ground.params("untrained", 7), 10.0)
    assert steps == {"pretrain": 0, "finetune": 0}
    _, steps = trained(ground, ground.params("aligned", 7), 0.2)
    assert steps["pretrain"] > 0
    assert steps["finetune"] == 0
