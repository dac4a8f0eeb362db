"""`smar export`: what is in the folder, that it answers as smar does, and what it may replace."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from smar.cli import main
from smar.errors import ArtifactError, ExportError
from smar.export.answers import expected_answers
from smar.export.folder import check_export, check_place, write_export
from smar.export.selftest import Items, Queries
from smar.export.source import Source
from smar.index.exclusive_words import ExclusiveWords
from smar.models.encode import encode_queries

ROOT = Path(__file__).parent.parent.parent


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the self-test of an export where smar cannot be imported."""
    guard = "import sys; sys.modules['smar'] = None; sys.path.insert(0, '.'); sys.argv.pop(0)\n"
    code = f"{guard}import runpy; runpy.run_path('selftest.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, "selftest.py", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.whole
def test_export_gives_every_query_the_items_and_scores_of_smar(exported: SimpleNamespace):
    source, folder = exported.source, exported.folder
    queries, items = Queries(folder), Items(folder)
    texts = source.queries()
    embeddings = encode_queries(source.model, texts)
    for place, text in enumerate(texts):
        scores = items.scores(queries.dense(text)[0], *queries.sparse(text))
        one = type(embeddings)(embeddings.vector[[place]], embeddings.gate[[place]])
        found, rows = source.index.search([text], one, 10)
        assert scores[rows[0]] == pytest.approx(found[0], abs=1e-6)
        assert items.best(scores)[-1][1] == pytest.approx(found[0][-1], abs=1e-6)
    assert len(texts) > 20


@pytest.mark.whole
def test_items_are_the_catalogue_with_vectors_and_words(
    exported: SimpleNamespace, shared_project: Path
):
    table = pq.read_table(exported.folder / "items.parquet").to_pandas()
    items = pd.read_parquet(shared_project / "data" / "accepted" / "items.parquet")
    items = items.set_index("item_id").loc[table["item_id"]]
    for name in ("title", "brand", "category", "currency", "more"):
        assert list(table[name]) == list(items[name])
    assert np.array_equal(table["price"], items["price"], equal_nan=True)
    assert list(table["row"]) == list(range(len(table)))
    assert [len(files) for files in table["pictures"]] == [len(ids) for ids in items["image_ids"]]
    vectors = np.stack(table["vector"].to_list())
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.sqrt(2), abs=1e-5)
    assert all(list(ids) == sorted(set(ids)) for ids in table["word_ids"])


@pytest.mark.whole
def test_self_test_runs_where_there_is_no_smar(export: SimpleNamespace):
    result = alone(export.folder)
    assert result.returncode == 0, result.stderr
    assert "queries have the vectors, words and first 10 items of smar" in result.stdout
    expected = json.loads((export.folder / "expected.json").read_text())["queries"]
    answers = [
        {"query": entry["query"], "item_ids": [item["item_id"] for item in entry["top"]]}
        for entry in expected
    ]
    file = export.folder / "answers.ndjson"
    file.write_text("\n".join(map(json.dumps, answers)))
    assert alone(export.folder, file.name).returncode == 0
    answers[3]["item_ids"].reverse()
    file.write_text("\n".join(map(json.dumps, answers[1:])))
    result = alone(export.folder, file.name)
    assert result.returncode == 1
    assert f"2 of {len(expected)} queries differ from smar" in result.stderr
    assert f"'{answers[0]['query']}': has no answer" in result.stderr


@pytest.mark.whole
def test_check_notices_what_no_longer_answers(export: SimpleNamespace, reseal):
    lines = check_export(export.folder)
    assert "every hash as written" in lines[0]
    words = export.folder / "words.json"
    content = json.loads(words.read_text())
    words.write_text(json.dumps(content | {"share": content["share"] / 2 + 0.1}))
    with pytest.raises(ArtifactError, match=r"words\.json"):
        check_export(export.folder)
    reseal(export.folder)
    with pytest.raises(ExportError, match="queries differ from smar"):
        check_export(export.folder)


def test_queries_that_deny_are_among_the_expected_and_what_no_engine_is_told_is_counted(
    tiny_source: Source, tiny_items: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    texts = ["red boot", "boot", "blue atlas", "green novel"]
    monkeypatch.setattr(Source, "queries", lambda _: texts)
    answers = expected_answers(tiny_source, 10)
    entries = {entry["query"]: entry for entry in answers["queries"]}
    denied = {query: entry for query, entry in entries.items() if entry["without"]}
    assert denied
    for query, entry in denied.items():
        [gone] = entry["left_out"]
        titles = tiny_items.set_index("item_id")["title"].str.lower()
        found = [item["item_id"] for item in (*entry["top"], *entry["next"])]
        assert query == f"{entry['searched']} not {gone}"
        assert not titles[found].str.contains(gone).any()
    assert answers["same_as_index"] == answers["same_as_search"] == len(entries)
    against = SimpleNamespace(against=lambda words, text, rows: np.float32(rows / len(tiny_items)))
    answers = expected_answers(replace(tiny_source, exclusive=against), 10)
    assert answers["same_as_index"] == len(entries) > answers["same_as_search"]


@pytest.mark.whole
def test_export_says_what_it_cannot_hold(exported: SimpleNamespace, tmp_path: Path):
    index = exported.source.index
    nothing = ExclusiveWords.of(index.words, [], [""] * len(index.words), 0.5)
    source = replace(exported.source, exclusive=nothing, index=replace(index, negation=False))
    told = "\n".join(write_export(tmp_path / "out", source))
    assert "index.exclusive_words 0.5), which no engine is told" in told
    assert "as typed, also what they deny (index.negation: false)" in told
    assert json.loads((tmp_path / "out" / "about.json").read_text())["exclusive_words"] == 0.5
    entries = json.loads((tmp_path / "out" / "expected.json").read_text())["queries"]
    assert not any(entry["without"] for entry in entries)


@pytest.mark.whole
def test_older_export_is_replaced_and_nothing_else_is(export: SimpleNamespace):
    check_place(export.folder)
    (export.folder / "mine.txt").touch()
    with pytest.raises(ExportError, match=r"1 files that no export wrote \(first: mine\.txt\)"):
        write_export(export.folder, export.source)
    (export.folder / "mine.txt").unlink()
    (export.folder / "about.json").unlink()
    with pytest.raises(ExportError, match=r"would be replaced.*about\.json is missing"):
        check_place(export.folder)


@pytest.mark.whole
def test_export_that_fails_leaves_nothing(
    shared_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(_: object, path: Path) -> None:
        path.write_bytes(b"half of a graph")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("smar.export.folder.write_query_graph", fail)
    with pytest.raises(OSError, match="No space"):
        write_export(tmp_path / "out", Source.load(shared_project))
    assert not list(tmp_path.iterdir())


def test_folder_with_other_files_is_refused_before_anything_slow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    assert main(["export", str(tmp_path), "--root", str(tmp_path)]) == 2
    assert "1 files that no export wrote (first: params.yaml)" in capsys.readouterr().err
    file = tmp_path / "params.yaml"
    assert main(["export", str(file), "--root", str(tmp_path)]) == 2
    assert "is a file" in capsys.readouterr().err


def test_unknown_engine_names_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    command = ["export", str(tmp_path / "out"), "--root", str(tmp_path), "--for", "qdrnt"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "there is no target 'qdrnt'; there are " in error
    assert "Did you mean 'qdrant'?" in error


def test_empty_folder_may_be_used(tmp_path: Path):
    check_place(tmp_path / "new")
    check_place(tmp_path)
