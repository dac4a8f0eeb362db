"""What runs in Dagster is what DVC would run, and leaves nothing to do for it."""

import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_dvc.ignoring import put_in_order
from dagster_dvc.repository import Repository, open_repository
from dagster_dvc.tests.support import Pipeline, run, write_pipeline
from dagster_dvc.tests.test_status import changed
from dagster_dvc.translator import DvcTranslator

pytestmark = pytest.mark.whole


def is_clean(root: Path) -> bool:
    """Return whether `dvc status` has nothing to say, of stages and of .dvc files."""
    return run(root, "dvc", "status", "--json").strip() == "{}"


def test_data_that_dvc_tracks_is_committed_with_the_stage(pipeline: Pipeline):
    run(pipeline.root, "dvc", "add", "-q", "raw.txt")
    pipeline.materialize()
    assert is_clean(pipeline.root)
    (pipeline.root / "raw.txt").unlink()
    (pipeline.root / "raw.txt").write_text("7\n")
    pipeline.materialize("prepare", "total", "page")
    assert (pipeline.root / "total.txt").read_text() == "70\n"
    assert is_clean(pipeline.root)


def test_parameters_that_a_stage_writes_are_data(empty: Path, instance: dg.DagsterInstance):
    stages: dict[str, Any] = {
        "tune": {"cmd": "sed s/^/lr:/ raw.txt > best.yaml", "deps": ["raw.txt"],
                 "outs": ["best.yaml"]},
        "train": {"cmd": "cp best.yaml model.txt", "params": [{"best.yaml": ["lr"]}],
                  "outs": ["model.txt"]},
    }  # fmt: skip
    (empty / "raw.txt").write_text(" 1\n")
    write_pipeline(empty, {"stages": stages})
    assert Repository(empty).manifest.stages["train"].upstream == ("tune",)
    pipeline = Pipeline(empty, instance, DvcTranslator())
    pipeline.materialize()
    assert (is_clean(empty), pipeline.unsynced()) == (True, set())
    (empty / "raw.txt").write_text(" 2\n")
    pipeline.materialize()
    assert (empty / "model.txt").read_text() == "lr: 2\n"
    assert (is_clean(empty), pipeline.unsynced()) == (True, set())


def test_order_of_gitignore_does_not_depend_on_who_ends_first(empty: Path):
    stages: dict[str, Any] = {
        name: {"cmd": f"mkdir -p data && touch data/{name}", "outs": [f"data/{name}"]}
        for name in ("c", "a", "b")
    }
    stages["all"] = {"cmd": "ls data > all.txt", "deps": ["data"], "outs": ["all.txt"]}
    (empty / "data").mkdir()
    write_pipeline(empty, {"stages": stages})
    copied = Path(shutil.copytree(empty, empty.parent / "plain"))
    Repository(empty).ignore_outputs(stages)
    for name in ("b", "c", "a", "all"):
        run(empty, "dvc", "repro", "-q", "--single-item", name)
    run(copied, "dvc", "repro", "-q")
    locks = [yaml.safe_load((root / "dvc.lock").read_text()) for root in (empty, copied)]
    assert locks[0] == locks[1]


def test_folder_that_a_stage_makes_is_left_to_it(empty: Path):
    stages: dict[str, Any] = {"a": {"cmd": "mkdir m; touch m/a", "outs": ["m/a", "b"]}}
    write_pipeline(empty, {"stages": stages})
    Repository(empty).ignore_outputs(stages)
    assert not (empty / "m").exists()
    assert (empty / ".gitignore").read_text() == "/b\n"


def test_folder_that_stages_make_is_as_dvc_would_leave_it(
    empty: Path, monkeypatch: pytest.MonkeyPatch
):
    """The stage that comes first ends last: DVC adds its entry after the other's."""
    stages: dict[str, Any] = {
        "a": {"cmd": "mkdir -p data && until [ -e b.txt ]; do sleep 0.1; done; sleep 1; "
                     "touch data/a", "outs": ["data/a"]},
        "b": {"cmd": "mkdir -p data && touch data/b b.txt", "outs": ["data/b", "b.txt"]},
        "all": {"cmd": "ls data > all.txt", "deps": ["data"], "outs": ["all.txt"]},
    }  # fmt: skip
    write_pipeline(empty, {"stages": stages})
    (empty / "defs.py").write_text(
        "from pathlib import Path\nimport dagster as dg\n"
        "from dagster_dvc import DvcProjectComponent\n"
        "component = DvcProjectComponent(root='.', max_concurrent=2)\n"
        "defs = component.definitions(Path(__file__).parent)\n"
    )
    monkeypatch.setenv("DAGSTER_HOME", str(empty))
    run(empty, sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*",
        "-f", "defs.py")  # fmt: skip
    assert (empty / "data" / ".gitignore").read_text() == "/a\n/b\n"
    assert is_clean(empty)


def test_order_of_entries_leaves_other_lines_where_they_are(tmp_path: Path):
    file = tmp_path / ".gitignore"
    assert not put_in_order(file, ["a"])
    file.write_text("# mine\n/b\\ c\n*.log\n/a\n")
    assert put_in_order(file, ["a", "b c", "gone"])
    assert file.read_text() == "# mine\n/a\n*.log\n/b\\ c\n"
    assert not put_in_order(file, ["a", "b c", "gone"])
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("file", ["vars.yaml", "params.yaml", "deep/v.toml"])
def test_variables_of_templates_are_noticed(empty: Path, file: str):
    (empty / "deep").mkdir()
    (empty / "vars.yaml").write_text("one: a\n")
    (empty / "params.yaml").write_text("two: [b]\n")
    (empty / "deep" / "v.toml").write_text('three = "c"\n')
    pipeline = {
        "vars": ["vars.yaml"],
        "stages": {
            "plain": {"cmd": "echo ${one} ${three}", "vars": ["deep/v.toml"]},
            "each": {"foreach": "${two}", "do": {"cmd": "echo ${item}"}},
        },
    }
    write_pipeline(empty, pipeline)
    before = open_repository(empty)
    settled = open_repository(empty)
    text = (empty / file).read_text()
    for old, new in (("a\n", "d\n"), ("[b]", "[b, e]"), ('"c"', '"f"')):
        text = text.replace(old, new)
    (empty / file).write_text(text)
    after = open_repository(empty)
    assert settled.manifest.stages == before.manifest.stages
    assert after.manifest.stages != before.manifest.stages


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server of files on this machine, which names their versions as ETags."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            place = Path(self.translate_path(self.path))
            if place.is_file():
                self.send_header("ETag", f'"{place.stat().st_mtime_ns:x}"')
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}", folder
    made.shutdown()
    thread.join()
    made.server_close()


def test_address_is_changed_when_its_etag_is(
    empty: Path, instance: dg.DagsterInstance, server: tuple[str, Path]
):
    address, folder = server
    (folder / "x.csv").write_text("1\n")
    stage = {"cmd": "touch y.csv", "deps": [f"{address}/x.csv"], "outs": ["y.csv"]}
    write_pipeline(empty, {"stages": {"get": stage}})
    run(empty, "dvc", "repro", "-q")
    assert Repository(empty).changes() == []
    (folder / "x.csv").write_text("2\n")
    assert {change.stage for change in Repository(empty).changes()} == changed(empty) == {"get"}
