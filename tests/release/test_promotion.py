"""From a pipeline's outputs to a release, for real: promoted, refused, repeated, undone."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from smar.artifacts import read_manifest, verify_directory, write_directory
from smar.cli import main
from smar.errors import ArtifactError
from smar.judging.judged import JudgedQueries
from smar.judging.runs import Run
from smar.params import Params
from smar.paths import Paths
from smar.release.comparison import compare
from smar.release.rules import judge_ranking
from smar.release.verify import verify_release
from smar.service import registry
from smar.service.page import write_search_page
from smar.service.ranking import rank
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from smar.stages.ingest import run as ingest

Change = Callable[[Path, dict[str, Any]], None]
GENEROUS = {
    "promote.margin": 1.0,
    "promote.max_loss": 1.0,
    "promote.slice_margin": 1.0,
    "promote.max_latency_ms": 60_000.0,
    "promote.max_latency_ratio": 100.0,
}


def smar(root: Path, *arguments: str) -> None:
    assert main([*arguments, "--root", str(root)]) == 0


def make_candidate(root: Path, change_params: Change, seed: int) -> None:
    """Train another, clumsier model, with vectors alone, and take it as far as the gate."""
    changes = {"seed": seed, "finetune.learning_rate": 0.05, "index.word_share": 0.0}
    change_params(root, changes)
    for stage in ("finetune", "embed", "index", "evaluate"):
        smar(root, stage)


def promote(root: Path) -> dict[str, Any]:
    smar(root, "promote")
    return dict(json.loads((Paths(root).promotion_report / "decision.json").read_text()))


@pytest.fixture(scope="module")
def _two_releases(
    shared_project: Path, change_params: Change, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = tmp_path_factory.mktemp("releases") / "two"
    shutil.copytree(shared_project, root, symlinks=True)
    change_params(root, GENEROUS)
    make_candidate(root, change_params, 8)
    assert promote(root)["verdict"] == "promoted"
    return root


@pytest.fixture
def two_releases(_two_releases: Path, tmp_path: Path) -> Path:
    """A project of its own with v1 and v2, v2 current."""
    return Path(shutil.copytree(_two_releases, tmp_path / "two", symlinks=True))


def test_first_candidate_becomes_v1_with_all_that_answers_queries(small_project: Path):
    folder = Paths(small_project).releases / "v1"
    manifest = verify_directory(folder, registry.KIND)
    assert registry.current_version(small_project) == "v1"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"model", "index", "items.parquet", "metrics", "params.yaml", "judged"}
    assert set(manifest.inputs) >= {
        "data/accepted/items.parquet",
        "models/retriever",
        "data/index",
    }
    assert json.loads(Paths(small_project).outcome("promote").read_text())["release"] == 1


def test_release_tells_what_was_made_and_not_what_the_run_took_over(small_project: Path):
    made = json.loads(Paths(small_project).outcome("embed").read_text())
    told = (Paths(small_project).releases / "v1/metrics/embed.json").read_text()
    assert made.pop("run")["encoded"] > 0
    assert json.loads(told) == made


def test_release_answers_as_the_working_tree_did(small_project: Path):
    released = Retriever.load(small_project)
    made = Retriever.load(small_project, "none")
    assert (released.release, made.release) == ("v1", "")
    assert released.search("red dress", 20) == made.search("red dress", 20)


def test_candidate_within_the_margins_is_promoted_and_both_tables_are_there(two_releases: Path):
    decision = json.loads((Paths(two_releases).promotion_report / "decision.json").read_text())
    assert registry.current_version(two_releases) == "v2"
    assert decision["compared_with"] == "v1"
    assert [row["name"] for row in decision["shared"]][:3] == ["all", "visual", "non_visual"]
    assert decision["facts"]["shared_items"] == 150
    assert decision["served"][0]["queries"] == decision["shared"][0]["queries"] >= 20
    page = (Paths(two_releases).promotion_report / "index.html").read_text()
    assert "Candidate promoted" in page
    assert page.count("<td>ndcg@10</td>") == page.count("<td>recall@50</td>") == 2
    assert "data:image/jpeg" in page


def test_candidate_that_may_be_worse_is_refused_with_reasons_and_nothing_changes(
    small_project: Path, change_params: Change, capsys: pytest.CaptureFixture[str]
):
    before = Retriever.load(small_project).search("red dress", 5)
    change_params(small_project, {"promote.margin": 0.0})
    make_candidate(small_project, change_params, 8)
    decision = promote(small_project)
    assert decision["verdict"] == "refused"
    assert any("the lower end must be at least -0.0 points" in r for r in decision["reasons"])
    assert registry.versions(small_project) == ["v1"]
    assert Retriever.load(small_project).search("red dress", 5) == before
    assert Retriever.load(small_project, "none").search("red dress", 5) != before
    verify_directory(Paths(small_project).release, registry.KIND)


def test_share_of_the_words_alone_makes_another_candidate(
    small_project: Path, change_params: Change
):
    share = Retriever.load(small_project).word_share
    change_params(small_project, GENEROUS | {"index.word_share": 0.1 if share > 0.3 else 0.6})
    smar(small_project, "index")
    assert promote(small_project)["compared_with"] == "v1"
    assert registry.current_version(small_project) == "v2"
    assert Retriever.load(small_project).word_share != share
    smar(small_project, "index")  # made again, the same answers
    promote(small_project)
    assert registry.versions(small_project) == ["v1", "v2"]


def test_ranking_turned_around_within_the_cutoff_is_refused(
    small_project: Path, shipped: Params, monkeypatch: pytest.MonkeyPatch
):
    """Recall@50 stays as it is where the first 50 results change places; nDCG@10 does not."""
    old = Retriever.load(small_project)
    judged = JudgedQueries.read(Paths(small_project).releases / "v1" / "judged")
    turned = Retriever.load(small_project)
    turned.release = "turned"

    def rank_turned(retriever: Retriever, *arguments: Any) -> Run:
        run = rank(retriever, *arguments)
        rows = run.rows[:, ::-1] if retriever.release == "turned" else run.rows
        return Run(run.system, np.ascontiguousarray(rows), run.scores)

    monkeypatch.setattr("smar.release.comparison.rank", rank_turned)
    comparison = compare(turned, old, judged, shipped.evaluate, 1)
    tables = [comparison.table(name, "v1", shipped.evaluate, 1) for name in shipped.promote.guard]
    failed = [r.name for r in judge_ranking(tables, "v1", {}, shipped.promote) if not r.passed]
    assert comparison.rows[0].gap.mean == 0
    assert failed[:2] == ["overall ndcg@10", "loss ndcg@10"]


def test_next_candidate_is_compared_with_the_best_release_too(
    two_releases: Path, change_params: Change
):
    make_candidate(two_releases, change_params, 9)
    decision = promote(two_releases)
    anchors = read_manifest(Paths(two_releases).releases / "v2", registry.KIND).details["anchors"]
    best = {entry["version"] or "v2" for names in anchors.values() for entry in names.values()}
    compared = {(table["against"], table["query_set"]) for table in decision["tables"]}
    assert {against for against, _ in compared} == {"v2", *best}
    assert {query_set for _, query_set in compared} == {"trial", "validation"}
    assert {table["metric"] for table in decision["tables"]} == {"recall@50", "ndcg@10"}


def test_experiment_is_judged_and_not_released(
    small_project: Path,
    change_params: Change,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    change_params(small_project, GENEROUS | {"index.word_share": 0.0})
    smar(small_project, "index")
    monkeypatch.setenv("DVC_EXP_NAME", "stony-gate")
    assert promote(small_project)["verdict"] == "passed"
    assert registry.versions(small_project) == ["v1"]
    assert json.loads(Paths(small_project).outcome("promote").read_text())["promoted"] == 0
    assert "an experiment is judged and never released" in caplog.text
    monkeypatch.delenv("DVC_EXP_NAME")
    assert promote(small_project)["verdict"] == "promoted"


def test_clone_that_pulled_compares_and_counts_on_from_there(
    small_project: Path, change_params: Change
):
    shutil.rmtree(Paths(small_project).releases)
    change_params(small_project, GENEROUS | {"index.word_share": 0.0})
    smar(small_project, "index")
    assert promote(small_project)["compared_with"] == "v1"
    assert registry.versions(small_project) == ["v1", "v2"]
    assert [switch.event for switch in registry.history(small_project)] == ["pull", "promote"]
    assert registry.rollback(small_project).version == "v1"


def test_release_that_only_git_knows_is_fetched_before_anything_is_promoted(
    small_project: Path, change_params: Change
):
    shutil.rmtree(Paths(small_project).releases)
    shutil.rmtree(Paths(small_project).release)
    change_params(small_project, GENEROUS)
    git = ("git", "-C", str(small_project), "-c", "user.name=x", "-c", "user.email=x@x")
    for arguments in (("init", "-q"), ("commit", "-qm", "x", "--allow-empty"), ("tag", "smar@v4")):
        subprocess.run([*git, *arguments], check=True)
    decision = promote(small_project)
    assert decision["verdict"] == "refused"
    assert "git knows the release v4" in decision["reasons"][0]
    assert registry.versions(small_project) == []


def test_failed_blocking_check_refuses(small_project: Path, change_params: Change):
    change_params(small_project, GENEROUS)
    make_candidate(small_project, change_params, 8)
    results = Paths(small_project).validation_report
    manifest = read_manifest(results, "validation")
    manifest.counts, manifest.files = {**manifest.counts, "stops": 2}, {}
    with write_directory(results, manifest) as folder:
        (folder / "index.html").touch()
    decision = promote(small_project)
    assert decision["reasons"] == [
        "2 blocking checks of the data failed (reports/validation/index.html)"
    ]


def test_promoting_the_current_release_again_repeats_its_decision(two_releases: Path):
    before = (Paths(two_releases).promotion_report / "decision.json").read_bytes()
    shutil.rmtree(Paths(two_releases).promotion_report)
    shutil.rmtree(Paths(two_releases).release)
    smar(two_releases, "promote")
    assert (Paths(two_releases).promotion_report / "decision.json").read_bytes() == before
    assert registry.versions(two_releases) == ["v1", "v2"]
    verify_directory(Paths(two_releases).release, registry.KIND)


def test_pipeline_does_not_undo_a_rollback(two_releases: Path):
    smar(two_releases, "rollback")
    decision = promote(two_releases)
    assert decision["verdict"] == "refused"
    assert "`smar rollback v2` makes it current again" in decision["reasons"][0]
    assert registry.current_version(two_releases) == "v1"
    current = verify_directory(Paths(two_releases).release, registry.KIND)
    assert current.details["version"] == "v1"


def test_rollback_is_followed_by_what_a_push_carries(
    two_releases: Path, capsys: pytest.CaptureFixture[str]
):
    smar(two_releases, "rollback")
    assert "models/release holds v1. `dvc commit --force promote`" in capsys.readouterr().out
    carried = verify_directory(Paths(two_releases).release, registry.KIND)
    assert carried.details["version"] == "v1"


def test_release_whose_writer_was_killed_before_the_switch_is_finished(two_releases: Path):
    folder = Paths(two_releases).releases
    (folder / "current").unlink()
    (folder / "current").symlink_to("v1")
    lines = (folder / "history.jsonl").read_text().splitlines()
    (folder / "history.jsonl").write_text(lines[0] + "\n")
    assert promote(two_releases)["verdict"] == "promoted"
    assert registry.current_version(two_releases) == "v2"
    assert registry.versions(two_releases) == ["v1", "v2"]


def test_verify_passes_and_finds_a_flipped_bit_in_every_file(two_releases: Path):
    folder = Paths(two_releases).releases / "v1"
    assert verify_release(two_releases, "v1")[0].startswith("v1: ")
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ArtifactError, match=r"release v1 is damaged"):
            verify_release(two_releases, "v1")
        file.write_bytes(content)
    assert len(verify_release(two_releases, "v1")) == 3


def test_verify_looks_at_pictures_in_a_store(small_project: Path, change_params: Change):
    store = small_project / "store"
    store.mkdir()
    change_params(small_project, {"ingest.images.store": str(store)})
    ingest(small_project)
    told = f"pictures: 1 shards in {store}, each with its size; 1 of them kept here"
    assert verify_release(small_project)[-1].startswith(told)
    (shard,) = store.glob("*.npy")
    shard.unlink()
    with pytest.raises(
        ArtifactError, match=rf"^pictures: {shard} is missing, expected \d+ bytes\. "
    ):
        verify_release(small_project)


def test_clone_with_nothing_but_the_pulled_release_answers(
    two_releases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    clone = tmp_path / "clone"
    shutil.copytree(Paths(two_releases).release, Paths(clone).release)
    shutil.copy(two_releases / "params.yaml", clone)
    expected = Retriever.load(two_releases).search("red dress", 5)
    retriever = Retriever.load(clone)
    hits = retriever.search("red dress", 5)
    assert [hit.item_id for hit in hits] == [hit.item_id for hit in expected]
    assert all(hit.pictures == [] for hit in hits)
    # Without the log and the tables it was made from.
    suggested = retriever.suggest("s")
    assert suggested == Retriever.load(two_releases).suggest("s") != []
    write_search_page(
        tmp_path / "page.html", retriever, retriever.answer(SearchRequest(query="red dress"))
    )
    assert verify_release(clone)[0].startswith("v2: ")
    smar(clone, "releases")
    assert re.search(r"\n\*  v2 [^\n]*\nIt lies in models/release", capsys.readouterr().out)


def test_pictures_of_an_old_release_follow_the_picture_store(small_project: Path):
    before = Retriever.load(small_project).search("red dress", 5)
    shutil.rmtree(Paths(small_project).images)
    after = Retriever.load(small_project).search("red dress", 5)
    assert any(hit.pictures for hit in before)
    assert [hit.item_id for hit in after] == [hit.item_id for hit in before]
    assert not any(hit.pictures for hit in after)


def test_diff_names_what_changed_and_shows_queries_with_pictures(
    two_releases: Path, capsys: pytest.CaptureFixture[str]
):
    page = two_releases / "diff.html"
    smar(two_releases, "diff", "v1", "v2", "--html", str(page))
    text = capsys.readouterr().out
    assert "seed: 7 -> 8" in text
    assert "items: 0 added, 0 removed, 0 changed" in text
    assert re.search(r"recall@50 on \d+ trial queries, over the 150 items that both have", text)
    assert "lost most" in text
    content = page.read_text()
    assert "What differs between v1 and v2" in content
    assert "data:image/jpeg" in content
    assert "<script" not in content
    smar(two_releases, "diff", "v1", "v1")
    assert "parameters: no difference" in capsys.readouterr().out


def test_diff_tells_code_once_and_nothing_of_the_stages_that_follow_a_release(
    two_releases: Path, reseal: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
):
    for version, later in (("v1", []), ("v2", ["promote", "drift"])):
        folder = Paths(two_releases).releases / version
        deps = [{"path": "smar/seeding.py", "md5": version * 16}]
        stages = {name: {"deps": deps} for name in ("pretrain", "finetune", *later)}
        (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
        reseal(folder)
    smar(two_releases, "diff", "v1", "v2")
    text = capsys.readouterr().out
    assert "  code smar/seeding.py: v1v1v1v1 -> v2v2v2v2\n" in text
    assert text.count("seeding.py") == 1


def test_nothing_of_a_pipeline_and_its_release_is_closed_to_other_users(small_project: Path):
    closed = [
        str(path)
        for folder in ("data", "models", "reports", "releases", "metrics")
        for path in (small_project / folder, *(small_project / folder).rglob("*"))
        if path.stat().st_mode & 0o044 != 0o044
    ]
    assert closed == []
