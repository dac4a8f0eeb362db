"""The whole way on a small demo shop: every stage for real, then search and mishaps."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from smar.artifacts import read_manifest, verify_directory
from smar.cli import STAGES, main
from smar.data import schema
from smar.data.stems import bag_of_stems
from smar.errors import ArtifactError, DataError
from smar.index.store import EmbeddingStore
from smar.paths import Paths
from smar.service.page import write_search_page
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.synthetic.leakage import leaked_texts

ROOT = Path(__file__).parent.parent
TINY: dict[str, Any] = {
    "threads": 1,
    "ingest.demo": {"num_items": 240, "num_searches": 900},
    "ingest.images": {"height": 40, "width": 32, "max_pixels": 100_000},
    "model.dim": 32,
    "model.vocab_size": 1000,
    "synthesize.max_per_item": 10,
    "synthesize.validation_frac": 0.05,
    "evaluate.examples": 8,
}
TOWER = {"hidden": 48, "heads": 4, "layers": 1}
TRAINING = {"steps": 100, "items_per_step": 48, "queries_per_item": 2, "precision": "float32"}


def set_params(root: Path, changes: dict[str, Any]) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text())
    for key, value in changes.items():
        section = content
        *parts, last = key.split(".")
        for part in parts:
            section = section[part]
        section[last] = value
    (root / "params.yaml").write_text(yaml.safe_dump(content))


def make_project(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    shutil.copy(ROOT / "params.yaml", root)
    set_params(root, TINY)
    set_params(
        root,
        {f"model.{t}.{k}": v for t in ("query", "text", "image") for k, v in TOWER.items()}
        | {f"{s}.{k}": v for s in ("pretrain", "finetune") for k, v in TRAINING.items()}
        | {"model.image.patch": 8, "pretrain.learning_rate": 0.003},
    )
    return root


def smar(root: Path, *arguments: str) -> None:
    assert main([*arguments, "--root", str(root)]) == 0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage has run."""
    root = make_project(tmp_path_factory.mktemp("project"))
    for stage in STAGES:
        smar(root, stage)
    return root


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The project, to be changed."""
    return Path(shutil.copytree(project, tmp_path / "copy"))


def metrics(root: Path, stage: str) -> dict[str, Any]:
    return json.loads(Paths(root).outcome(stage).read_text())


def test_every_directory_artefact_verifies(project: Path):
    paths = Paths(project)
    for path, kind in (
        (paths.images, "images"),
        (paths.quarantine, "quarantine"),
        (paths.validation_report, "validation"),
        (paths.synthetic, "synthetic"),
        (paths.pretrained, "model"),
        (paths.retriever, "model"),
        (paths.embeddings, "embeddings"),
        (paths.index, "index"),
        (paths.evaluation_report, "evaluation"),
    ):
        manifest = verify_directory(path, kind)
        assert manifest.params or kind == "index"


def test_tables_have_their_schema(project: Path):
    paths = Paths(project)
    for name, columns in schema.TABLES.items():
        assert len(schema.read_table(getattr(paths, name), columns))


def test_nothing_with_the_stems_of_a_held_out_query_is_trained_on(project: Path):
    paths = Paths(project)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    synthetic = schema.read_table(paths.synthetic / "queries.parquet", schema.SYNTHETIC)
    bags = {split: set(map(bag_of_stems, own["query"])) for split, own in queries.groupby("split")}
    assert set(bags) == {"train", "validation", "apart", "trial", "test"}
    made = {
        split: set(map(bag_of_stems, own["query"])) for split, own in synthetic.groupby("split")
    }
    trained = bags["train"] | made["train"]
    assert not trained & (bags["test"] | bags["validation"] | bags["apart"])
    assert not bags["trial"] & made["train"]
    file = paths.synthetic / "queries.parquet"
    made = partial(schema.read_batches, file, schema.SYNTHETIC, ("query", "split"))
    assert not any(leaked_texts(queries, made).values())


def test_training_beats_chance(project: Path):
    for stage in ("pretrain", "finetune"):
        assert metrics(project, stage)["chance_text"] < 0.8
    test = metrics(project, "evaluate")["test"]
    chance = 50 / 240
    assert test["hybrid"]["recall@50"] > 1.5 * chance


def test_metrics_of_all_systems_and_slices_are_there(project: Path):
    sets = metrics(project, "evaluate")
    of_queries = {"test", "trial", "validation", "synthetic", "unseen_words"}
    assert set(sets) == of_queries | {"headline", "checks"}
    for name in ("hybrid", "gated", "multimodal", "text", "image", "bm25"):
        assert set(sets["test"][name]["slices"]) >= {"visual", "non_visual", "tail"}
    assert {"mean", "low", "high", "p_value"} == set(sets["test"]["hybrid_minus_text"])


def test_people_compare_about_forty_numbers(project: Path):
    compared = {stage: json.loads(Paths(project).metrics(stage).read_text()) for stage in STAGES}
    numbers = pd.json_normalize(compared, sep="/").iloc[0]
    assert 30 <= len(numbers) <= 48
    assert numbers.map(lambda value: isinstance(value, int | float)).all()
    served = metrics(project, "evaluate")["test"]["hybrid"]
    assert numbers["evaluate/test/recall@50"] == served["recall@50"]
    assert numbers["evaluate/test/recall@50 on visual"] == served["slices"]["visual"]["recall@50"]


def test_trec_files_can_be_read_by_others(project: Path):
    import ir_measures

    folder = Paths(project).evaluation_report / "runs"
    qrels = list(ir_measures.read_trec_qrels(str(folder / "test.qrels")))
    run = list(ir_measures.read_trec_run(str(folder / "test.hybrid.trec")))
    measure = ir_measures.R(rel=2) @ 50
    theirs = ir_measures.calc_aggregate([measure], qrels, run)[measure]
    assert theirs == pytest.approx(
        metrics(project, "evaluate")["test"]["hybrid"]["recall@50"], abs=1e-5
    )


def test_report_shows_queries_with_their_pictures(project: Path):
    page = (Paths(project).evaluation_report / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") > 20
    assert "Drawn at random" in page
    assert "<script" not in page
    summary = (Paths(project).evaluation_report / "summary.txt").read_text()
    assert "smar is " in summary


def test_search_answers_with_items_in_order(project: Path):
    retriever = Retriever.load(project)
    hits = retriever.search("red dress", k=7)
    assert [hit.rank for hit in hits] == list(range(1, 8))
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert -1 <= scores[-1] <= scores[0] <= 1
    together = retriever.search_many(["sofa", "red dress"], k=7)[1]
    assert [hit.item_id for hit in together] == [hit.item_id for hit in hits]
    assert 0 <= retriever.gate("red dress") <= 1
    assert len(retriever.search("boot", k=10_000)) == 240


@pytest.mark.parametrize("query", ["", "  \t"])
def test_query_without_text_is_refused(project: Path, query: str):
    with pytest.raises(DataError, match="has no text"):
        Retriever.load(project).search(query)


def test_search_page_escapes_what_was_typed(project: Path, tmp_path: Path):
    retriever = Retriever.load(project)
    query = "<script>alert(1)</script> boot"
    answer = retriever.answer(SearchRequest(query=query))
    write_search_page(tmp_path / "page.html", retriever, answer)
    page = (tmp_path / "page.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_search_command_prints_table_and_json(project: Path, capsys: pytest.CaptureFixture[str]):
    smar(project, "search", "blue sofa", "-k", "3")
    assert "score" in capsys.readouterr().out
    smar(project, "search", "blue sofa", "-k", "3", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]


def test_stages_run_twice_give_the_same_bytes(copy: Path, project: Path):
    shutil.rmtree(Paths(copy).releases)  # the report stands beside the current release
    for stage in ("ingest", "synthesize", "finetune", "index", "evaluate"):
        smar(copy, stage)
    for name in ("images", "synthetic", "index"):
        assert_same_files(getattr(Paths(copy), name), getattr(Paths(project), name))
    assert_same_files(Paths(copy).retriever, Paths(project).retriever)
    assert_same_files(Paths(copy).evaluation_report, Paths(project).evaluation_report)


def assert_same_files(one: Path, other: Path) -> None:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


def test_only_changed_items_are_encoded_again(copy: Path):
    paths = Paths(copy)
    items = schema.read_table(paths.items, schema.ITEMS)
    before = EmbeddingStore.load(paths.embeddings)
    old = np.array(before.multimodal)
    items.loc[[3, 7], "title"] = ["Something else entirely", "And another thing"]
    items = pd.concat([items.iloc[1:], items.iloc[:1]], ignore_index=True)
    schema.write_table(paths.items, items, schema.ITEMS)
    smar(copy, "embed")
    assert metrics(copy, "embed")["run"] == {"encoded": 2, "reused": 238}
    after = EmbeddingStore.load(paths.embeddings)
    assert after.item_ids == list(items["item_id"])
    assert np.array_equal(after.multimodal[-1], old[0])
    shutil.rmtree(paths.embeddings)
    smar(copy, "embed")
    fresh = EmbeddingStore.load(paths.embeddings)
    assert np.allclose(fresh.multimodal, after.multimodal, atol=1e-5)


def test_damaged_embeddings_are_made_again(copy: Path):
    file = Paths(copy).embeddings / "text.npy"
    file.write_bytes(file.read_bytes()[:-5])
    smar(copy, "embed")
    assert metrics(copy, "embed")["run"]["encoded"] == 240


def test_model_and_index_of_different_runs_are_refused(copy: Path):
    smar(copy, "finetune")
    manifest = Paths(copy).retriever / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(ArtifactError, match="was built with another model"):
        Retriever.load(copy, "none")


def test_failed_validation_stops_with_a_list_and_leaves_its_report(
    copy: Path, capsys: pytest.CaptureFixture[str]
):
    accepted = Paths(copy).items.read_bytes()
    set_params(
        copy,
        {
            "validate.items.min_rows": 1000,
            "validate.items.max_price": 1.0,
            "validate.severity": {"items.price_range": "stop"},
        },
    )
    assert main(["validate", "--root", str(copy)]) == 2
    message = capsys.readouterr().err
    assert "items.rows: expected at least 1000 rows; saw 240" in message
    assert "items.price: expected a price from 0.01 to 1" in message
    assert "Stopped" in (Paths(copy).validation_report / "index.html").read_text()
    assert Paths(copy).items.read_bytes() == accepted


def test_too_many_bad_rows_leave_the_last_tables_as_they_were(copy: Path, tmp_path: Path):
    paths = Paths(copy)
    before = paths.ingested("items").read_bytes()
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "products.csv").write_text("id,title\n1,a\n1,b\n,c\n")
    set_params(
        copy,
        {
            "ingest.source": "feed",
            "ingest.folder": str(raw),
            "ingest.log.kind": "none",
            "ingest.judgements.kind": "none",
        },
    )
    assert main(["ingest", "--root", str(copy)]) == 2
    assert paths.ingested("items").read_bytes() == before
    verify_directory(paths.images, "images")


@pytest.mark.whole
def test_shop_without_pictures_log_and_judgements_goes_all_the_way(tmp_path: Path):
    root = make_project(tmp_path / "cold")
    raw = root / "raw"
    raw.mkdir()
    kinds = ["boot", "bag", "sofa", "lamp", "novel", "cable"]
    rows = [f"{n},{kinds[n % 6]} number {n},maker{n % 7},{kinds[n % 6]}s" for n in range(60)]
    (raw / "products.csv").write_text("id,title,brand,product_type\n" + "\n".join(rows))
    set_params(
        root,
        {
            "ingest.source": "feed",
            "ingest.folder": str(raw),
            "ingest.log.kind": "none",
            "ingest.judgements.kind": "none",
        },
    )
    for stage in STAGES:
        smar(root, stage)
    assert list(metrics(root, "evaluate")) == ["synthetic", "checks", "headline"]
    store = EmbeddingStore.load(Paths(root).embeddings)
    assert np.array_equal(store.text, store.multimodal)
    assert len(Retriever.load(root).search("boot maker1", 5)) == 5


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        pytest.param("finetune", {"finetune.steps": 60}, id="finetune", marks=pytest.mark.whole),
        pytest.param(
            "pretrain", {"curriculum.kind": "staged"}, id="staged", marks=pytest.mark.slow
        ),
    ],
)
def test_training_killed_by_the_system_goes_on_to_the_same_model(
    stage: str, changes: dict[str, Any], copy: Path
):
    """kill -9 in the middle, then the same command again."""
    model = Paths(copy).retriever if stage == "finetune" else Paths(copy).pretrained
    shutil.rmtree(model)
    set_params(copy, changes | {f"{stage}.checkpoint_s": 0.05})
    command = [sys.executable, "-m", "smar", stage, "--root", str(copy)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        folder = copy / ".smar" / "checkpoints"
        deadline = time.monotonic() + 60
        while not list(folder.glob(f"{stage}-*/progress.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not model.exists()
    assert list(folder.glob(f"{stage}-*"))
    smar(copy, stage)
    resumed = (model / "model.safetensors").read_bytes()
    assert not list(folder.glob(f"{stage}-*"))
    smar(copy, stage)
    assert (model / "model.safetensors").read_bytes() == resumed


def test_other_models_go_all_the_way(copy: Path):
    """Stages, query vectors, markers, masks, misspellings, hard negatives, gates per item.

    Steps in chunks, vectors that are trained to be cut, searched short and in 8 bits.
    """
    set_params(
        copy,
        {
            "model.fusion": "residual",
            "model.field_markers": True,
            "model.query_vectors.count": 2,
            "curriculum.kind": "staged",
            "loss.kind": "three_part_hinge",
            "gate.kind": "per_item",
            "pretrain.steps": 30,
            "pretrain.field_mask_frac": 0.2,
            "pretrain.misspelled_frac": 0.2,
            "finetune.steps": 20,
            "finetune.negatives": {
                "impressed": 8,
                "mined": 8,
                "first_rank": 3,
                "last_rank": 20,
                "margin": 0.05,
                "guided": True,
            },
            "pretrain.chunk_items": 9,
            "finetune.chunk_items": 9,
            "model.matryoshka": [32, 16],
            "index.dim": 16,
            "index.storage": "int8",
            "index.recall_target": 0.7,
        },
    )
    for stage in ("pretrain", "finetune", "embed", "index", "evaluate"):
        smar(copy, stage)
    figures = metrics(copy, "finetune")
    assert [check["passed"] for check in figures.pop("checks")] == [True, True]
    for name, value in figures.items():
        assert np.isfinite(value), name
    hits = Retriever.load(copy).search("red dress", k=5)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert len({hit.item_id for hit in hits}) == 5
    manifest = read_manifest(Paths(copy).index, "index")
    assert manifest.details["compact"] == {"dim": 16, "storage": "int8"}
    assert metrics(copy, "index")["bytes_mapped"] > 6 * metrics(copy, "index")["bytes"]


def test_report_says_whether_the_gate_can_be_believed(project: Path):
    page = (Paths(project).evaluation_report / "index.html").read_text()
    assert "expected calibration error" in page
    figures = metrics(project, "evaluate")["test"]["gate_reliability"]
    assert 0 <= figures["visual"]["error"] <= 1
    table = pd.read_csv(Paths(project).evaluation_report / "plots" / "reliability.csv")
    of_visual = table[table["outcome"] == "visual"]
    assert of_visual["queries"].sum() == figures["visual"]["queries"]


def test_python_example_of_the_readme_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    text = (ROOT / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) <= 6
    monkeypatch.chdir(project)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own words
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_search_commands_of_the_readme_run(project: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "".join(blocks).splitlines()
    commands = [line.partition("#")[0] for line in lines if line.startswith("smar ")]
    assert commands
    monkeypatch.chdir(project)
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0
    assert (project / "page.html").is_file()
