"""Every benchmark runs, at a size that says nothing about speed."""

import gzip
import importlib
import importlib.util
import json
import runpy
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from benchmarks.fair.space import SPACES
from smar.stages import index
from studies.__main__ import main as study
from studies.paths import StudyPaths
from tests.conftest import set_params

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for path in (ROOT / "benchmarks").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text()
)
PEERS = {"benchmarks.quality.gcl", "benchmarks.quality.sentence_text",
         "benchmarks.quality.sentence_multimodal"}  # fmt: skip


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return what runs a script in this process and gives its lines."""

    def run(module: str, *arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, module, raising=False)
        runpy.run_module(module, run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize("module", SCRIPTS)
def test_every_script_says_how_it_is_used(start, capsys: pytest.CaptureFixture[str], module: str):
    if module in PEERS:
        pytest.importorskip("sentence_transformers", reason="pip install '.[quality]' runs it")
    with pytest.raises(SystemExit) as end:
        start(module, "--help")
    assert end.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_index_measures_every_way_of_searching(start):
    lines = [json.loads(line) for line in start("benchmarks.index", "--items", "400", "--dim", "8")]
    rates = {line["index"]: line for line in lines if "queries_per_s_batch_1" in line}
    ways = {"", " and words", ", 200 deep"}
    assert set(rates) == {f"{kind}{way}" for kind in ("flat", "chosen") for way in ways}
    assert all(line["queries_per_s_batch_1000"] > 0 for line in rates.values())
    assert rates["flat"]["recall"] == 1.0


def test_index_refit_says_what_lists_of_before_find(start, shared_project: Path):
    lines = start("benchmarks.index_refit", "--folder", str(shared_project), "--shares", "0", "0.2")
    assert [line.split()[0] for line in lines[1:]] == ["0%", "20%"]


@pytest.mark.slow
def test_index_shards_find_the_same_and_say_what_they_cost(start, small_project: Path):
    (small_project / "queries.json").write_text(json.dumps(["teal lamp", "sofa", "dress"]))
    set_params(small_project, {"index.exact_below": 20, "index.recall_target": 0.5})
    index.run(small_project)
    asked = ("--folder", str(small_project), "--release", "none", "--rounds", "1", "--threads", "1")
    of_lists, *lines = map(json.loads, start("benchmarks.index_shards", *asked))
    assert of_lists["items"] == 150
    assert [line["shards"] for line in lines] == [1, 2, 4]
    assert all(line["same_as_first"] and line["alone_cpu_ms"] > 0 for line in lines)


def test_train_peers_take_turns(start):
    for package in ("sentence_transformers", "datasets", "accelerate"):
        pytest.importorskip(package, reason="pip install 'sentence-transformers[train]' brings it")
    for pictures in ("none", "processed"):
        arguments = ("--items", "8", "--rounds", "1", "--pictures", pictures)
        figures = json.loads(start("benchmarks.train_peers", *arguments)[-1])
        assert figures["pairs a second of processor"]["median"] > 0


def test_train_step_measures_both_precisions(start):
    lines = start("benchmarks.train_step", "--steps", "1", "--items", "4", "--dense", "64")
    figures = [json.loads(line) for line in lines]
    assert [each["precision"] for each in figures] == ["float32"] * 2 + ["bfloat16"] * 2
    assert all(each["pairs_per_s"] > 0 for each in figures)


@pytest.mark.slow
def test_starts_trains_one_and_says_what_it_finds(start, shared_project: Path):
    arguments = (str(shared_project), "pretrain.beta=1", "--seconds", "0.2", "--held-out", "20")
    found = json.loads(start("benchmarks.starts", *arguments, "--log-frac", "0.5")[-1])
    assert min(found["steps"].values()) >= 1
    assert found["held_out"] == 20
    for name in ("vectors_r@50", "search_ndcg@10", "cold_r@50", "title_r@10"):
        assert 0 <= found[name] <= 1


@pytest.mark.slow
def test_embed_incremental_encodes_one_percent_again(start):
    figures = json.loads(start("benchmarks.embed_incremental", "--items", "200")[-1])
    assert figures["encoded"] == 2


@pytest.mark.slow
def test_validation_checks_the_log_it_made(start):
    figures = json.loads(start("benchmarks.validation", "--rows", "2000", "--items", "100")[-1])
    assert figures["log_rows"] == 2000
    assert figures["rules"] > 40
    assert figures["ratio"] > 0


@pytest.mark.slow
def test_orchestration_measures_both_executors(start):
    lines = start("benchmarks.orchestration", "--stages", "2", "--repeats", "1")
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "bare commands, 2 stages",
        "dvc repro, all run",
        "dvc repro, no-op",
    ]
    assert lines[-1].startswith("the project's definitions, fresh process")


@pytest.mark.slow
def test_drift_calibration_plants_every_drift(start, small_project: Path):
    lines = start("benchmarks.drift_calibration", str(small_project), "--resamples", "1")
    assert lines[1].startswith("false alarms: ")
    assert sum("found" in line or "MISSED" in line for line in lines) == 5


@pytest.mark.slow
def test_serving_loses_no_record_and_switches_without_an_error(start, small_project: Path):
    lines = start(
        "benchmarks.serving", "--root", str(small_project), "--seconds", "1", "--rounds", "1"
    )
    figures = json.loads("\n".join(lines))
    assert figures["answered"] == figures["records_in_log"]
    assert figures["switched"]["errors"] == figures["medians"]["errors"] == 0
    assert set(figures["switched"]["releases"]) == {"v1", "v2"}


@pytest.mark.slow
def test_serving_int8_compares_the_same_queries(start, small_project: Path):
    lines = [
        json.loads(line) for line in start("benchmarks.serving_int8", "--root", str(small_project))
    ]
    judged = [line for line in lines if "search ndcg@10" in line]
    assert [line["weights"] for line in judged] == ["float32", "int8"] * (len(judged) // 2)
    assert {line["at_once"] for line in lines if "at_once" in line} == {1, 8, 32}
    assert lines[-1]["bytes"]["int8"] < lines[-1]["bytes"]["float32"]


@pytest.mark.slow
def test_serving_parts_add_up_to_no_more_than_the_whole(start, small_project: Path):
    queries = json.dumps(["teal lamp", "sofa", "dress"])
    (small_project / "queries.json").write_text(queries)
    arguments = ("--folder", str(small_project), "--rounds", "1", "--searches", "32")
    lines = [json.loads(line) for line in start("benchmarks.serving_parts", *arguments)]
    assert [line["by"] for line in lines] == ["numpy"] * 6 + ["hastened"] * 6
    for line in lines:
        spent = [line[part] for part in ("encode", "filter", "vectors", "words", "ranking")]
        assert 0 < sum(spent) <= 1.01 * line["total"]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["benchmarks.quality.bm25", *sorted(PEERS)])
def test_peer_leaves_its_results_beside_those_of_the_study(
    start, small_parameters: Path, tmp_path: Path, module: str
):
    if module in PEERS:
        pytest.importorskip("sentence_transformers", reason="pip install '.[quality]' runs it")
    prepare_demo(small_parameters, tmp_path, {})
    options = [] if module == "benchmarks.quality.bm25" else ["--processor-seconds", "2"]
    if module in {"benchmarks.quality.gcl", "benchmarks.quality.sentence_multimodal"}:
        options += ["--patches", "8"]
    start(module, "demo", "--root", str(tmp_path), *options)
    results = list(StudyPaths(tmp_path).results.glob("demo/*/7/per_query.parquet"))
    assert results


@pytest.mark.slow
def test_fair_study_trains_chooses_and_goes_on_where_it_was(
    start, small_parameters: Path, tmp_path: Path
):
    pytest.importorskip("sentence_transformers", reason="pip install '.[quality]' runs it")
    size = {"height": 20, "width": 10, "max_pixels": 40_000_000}
    prepare_demo(small_parameters, tmp_path, {"ingest.images": size, "model.image.patch": 10})
    folder = tmp_path / "fair"
    arguments = (str(tmp_path), "--data", "demo", "--folder", str(folder), "--trial-seconds", "0.5",
                 "--final-seconds", "0.5", "--seeds", "7")  # fmt: skip
    start("benchmarks.fair.__main__", *arguments, "--trials", "1")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    lines = start("benchmarks.fair.__main__", *arguments, "--trials", "2")
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{system}-trials.jsonl" for system in SPACES}
    table = next(line for line in lines if line.startswith("| smar and words"))
    assert table.rstrip(" |").endswith("1")


def prepare_demo(small_parameters: Path, tmp_path: Path, settings: dict[str, object]) -> None:
    """Prepare a study of the small demo shop in a folder."""
    shutil.copy(small_parameters, tmp_path)
    plan = yaml.safe_load((ROOT / "studies" / "params.yaml").read_text())
    pictures = {"wrong_frac": 0.0, "generic_frac": 0.0, "max_per_item": None}
    plan |= {"base": {}, "data": {"demo": {"settings": settings, "pictures": pictures}}}
    plan |= {key: {"data": [], "variants": [], "seeds": []} for key in ("forms", "finalists")}
    plan |= {"matrix": plan["forms"], "tables": [], "figures": []}
    StudyPaths(tmp_path).plan.parent.mkdir()
    StudyPaths(tmp_path).plan.write_text(yaml.safe_dump(plan))
    assert study(["prepare", "demo", "--root", str(tmp_path), "-q"]) == 0


def test_log_reading_measures_every_reader(start):
    lines = [json.loads(line) for line in start("benchmarks.log_reading", "--records", "50")]
    assert [line["reader"] for line in lines] == ["orjson, each line", "pyarrow", "smar"]
    assert lines[0]["over_orjson"] == 1.0
    assert all(line["peak_mib"] > 0 for line in lines)


def test_scale_makes_the_same_shop_each_time_and_changes_one_percent(tmp_path: Path):
    from benchmarks.scale_shop import change_shop, write_shop

    def files(name: str) -> dict[str, bytes]:
        return {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in sorted((tmp_path / name).rglob("*"))
            if path.is_file()
        }

    for name in ("one", "two"):
        write_shop(tmp_path / name, 120, 7)
    before = files("one")
    assert before == files("two")
    assert sum(path.startswith("images/") for path in before) == 120
    change_shop(tmp_path / "two", 120, 7)
    after = files("two")
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"products.csv", "images/0/p0000000.jpg", "images/0/p0000100.jpg"}
    new = {path.rpartition("/")[2] for path in set(after) - set(before)}
    assert new == {"queries-2026-10-01.ndjson.gz", "events-2026-10-01.ndjson.gz"}
    change_shop(tmp_path / "one", 120, 7, day=False)
    assert set(files("one")) == set(before)
    change_shop(tmp_path / "one", 120, 7, items=False)
    assert files("one") == after
    late, *rest = gzip.decompress(after["log/events-2026-10-01.ndjson.gz"]).splitlines()
    assert [json.loads(late)["query_id"][:5], json.loads(rest[-1])["query_id"][:5]] == [
        "s0930", "s1001"
    ]  # fmt: skip


def test_scale_says_how_costs_grow():
    from benchmarks.scale import Cost, exponent, table

    costs = [
        Cost(size, "ingest", "", 1.0, cpu, own, 1.0, killed)
        for size, cpu, own, killed in [(100, 2.0, 0.5, False), (10_000, 200.0, 5.0, False)]
    ]
    assert exponent(*costs, "cpu_s") == pytest.approx(1.0)
    assert exponent(*costs, "own_gb") == pytest.approx(0.5)
    assert table(costs)[1].split()[-2:] == ["1.00", "0.50"]
    killed = [costs[0], Cost(10_000, "ingest", "", 1.0, 9.0, 6.0, 6.0, True)]
    assert table(killed)[1].split()[-2:] == ["-", "-"]
    assert "killed: 6.00" in table(killed)[1]


def test_scale_goes_on_with_the_shop_of_a_folder_and_makes_another_where_it_differs(tmp_path: Path):
    from benchmarks.scale import run_size

    def run(size: int, *, no_pictures: bool) -> list[str]:
        options = Namespace(no_pictures=no_pictures, stages=[], changed=[])
        return [cost.stage for cost in run_size(tmp_path, size, options)]

    assert run(40, no_pictures=False) == ["shop"]
    left = tmp_path / "data" / "items.parquet"
    left.write_bytes(b"of a stage")
    assert run(40, no_pictures=False) == []
    assert left.exists()
    assert run(50, no_pictures=False) == run(50, no_pictures=True) == ["shop"]
    assert not (tmp_path / "data" / "raw" / "images").exists()


@pytest.mark.slow
def test_scale_runs_every_stage_before_and_after_a_change(start):
    lines = start("benchmarks.scale", "--items", "600", "--changed")
    stages = [json.loads(line)["stage"] for line in lines if line.startswith("{")]
    assert stages[:3] == ["shop", "ingest", "validate"]
    assert len(stages) == 1 + 2 * 8
    assert sum("1 % changed" in line for line in lines) == 8


@pytest.mark.slow
def test_answers_measures_filters_wishes_and_fetching(start):
    lines = [
        json.loads(line) for line in start("benchmarks.answers", "--items", "600", "--dim", "16")
    ]
    found = {line["filter"]: line for line in lines if line["part"] == "search"}
    assert {"none", "any 0.5", "alike 0.1"} <= set(found)
    assert found["any 0.1"]["recall"] == found["alike 0.1"]["recall"] == 1.0
    assert {line["way"] for line in lines if line["part"] == "fetch"} == {
        "columns", "arrow take", "data frame",
    }  # fmt: skip


def test_pairs_measures_what_it_prepared(start):
    figures = json.loads(start("benchmarks.pairs", "--items", "50", "--per-item", "3")[-1])
    assert figures["pairs"] == 150
    assert 1 < figures["texts"] <= 40
    assert figures["own_gb"] > 0


@pytest.mark.slow
def test_words_measures_the_words_of_the_made_up_shop(start):
    lines = start("benchmarks.words", "--items", "500", "--queries", "20")
    assert all(json.loads(line)["p50_ms"] > 0 for line in lines[:2])


@pytest.mark.whole
def test_index_peers_are_searched_at_equal_recall(start):
    packages = ("hnswlib", "usearch", "lorann")
    installed = {name for name in packages if importlib.util.find_spec(name)}
    arguments = ("--items", "2000", "--dim", "32")
    found = [json.loads(line) for line in start("benchmarks.index_peers", *arguments)]
    left_out = {line["system"] for line in found if "left out" in line}
    assert left_out == set(packages) - installed
    lines = [line for line in found if "left out" not in line]
    systems = {line["system"].partition(":")[0] for line in lines}
    assert systems == {"smar", "Faiss"} | installed
    assert len(lines) == 2 * len(systems)
    assert all(line["recall"] >= line["target"] - 0.03 for line in lines)
    assert all(line["ms"] > 0 for line in lines)


@pytest.mark.slow
def test_cluster_measures_one_worker_and_two(start, small_project: Path):
    pytest.importorskip("ray", reason="pip install smar[cluster]")
    arguments = ("--root", str(small_project), "--shards", "8", "--size", "8")
    lines = [json.loads(line) for line in start("benchmarks.cluster", *arguments)]
    assert [line["workers"] for line in lines] == [1, 2]
    assert lines[0]["speedup"] == 1
    assert all(line["items_per_s"] > 0 for line in lines)
