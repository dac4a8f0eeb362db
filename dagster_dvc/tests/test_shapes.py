"""Shapes that public repositories have, rebuilt with content of their own.

Each is held against DVC: the graph, what changed before and after everything ran, and a definition
for every stage and raw input.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_dvc import compare
from dagster_dvc.repository import Repository
from dagster_dvc.tests.support import run, write_pipeline
from dagster_dvc.tests.test_status import reproduce

pytestmark = pytest.mark.whole

Shape = Callable[[Path], int]


def datasets_times_models(root: Path) -> int:
    """134 stages: foreach over data sets, a matrix of data sets and models, and a summary."""
    sets, models = [f"set-{n}" for n in range(11)], [f"m{n}/v1" for n in range(11)]
    (root / "params.yaml").write_text(yaml.safe_dump({"sets": sets, "models": models}))
    (root / "raw").mkdir()
    for name in sets:
        (root / "raw" / f"{name}.csv").write_text(name)
    stages = {
        "prepare": {
            "foreach": "${sets}",
            "do": {"cmd": "mkdir -p d && cp raw/${item}.csv d/", "deps": ["raw/${item}.csv"],
                   "outs": ["d/${item}.csv"]},
        },
        "fit": {
            "matrix": {"data": "${sets}", "model": "${models}"},
            "cmd": "echo ${item.model}", "deps": ["d/${item.data}.csv"],
        },
        "report": {"cmd": "ls d", "deps": ["d"]},
        "final": {"cmd": "true", "deps": ["d/set-0.csv"], "frozen": True},
    }  # fmt: skip
    write_pipeline(root, {"stages": stages})
    return 11 + 121 + 2


def twelve_folders(root: Path) -> int:
    """12 dvc.yaml in sub-folders, each with its parameters, each reading the one before."""
    for number in range(12):
        folder = root / f"step{number:02}"
        folder.mkdir()
        (folder / "params.yaml").write_text(f"n: {number}\n")
        above = [f"../step{number - 1:02}/out.txt"] if number else []
        stage = {"cmd": "echo ${n} > out.txt", "deps": above, "params": ["n"], "outs": ["out.txt"]}
        write_pipeline(folder, {"stages": {"run": stage}})
    return 12


def three_hundred_files(root: Path) -> int:
    """300 .dvc files and one stage over their folder."""
    (root / "data").mkdir()
    text = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  hash: md5\n  path: {}\n"
    for number in range(300):
        (root / "data" / f"{number}.bin").touch()
        (root / "data" / f"{number}.bin.dvc").write_text(text.format(f"{number}.bin"))
    stage = {"cmd": "ls data > list.txt", "deps": ["data"], "outs": ["list.txt"]}
    write_pipeline(root, {"stages": {"list": stage}})
    return 1


def imported(root: Path) -> int:
    """A file that came by import-url, and a stage that reads it."""
    (root.parent / "shared").mkdir()
    (root.parent / "shared" / "x.csv").write_text("1\n")
    run(root, "dvc", "import-url", "-q", "../shared/x.csv", "x.csv")
    stage = {"cmd": "cp x.csv y.csv", "deps": ["x.csv"], "outs": ["y.csv"]}
    write_pipeline(root, {"stages": {"copy": stage}})
    return 1


def working_directories(root: Path) -> int:
    """wdir, several commands, and files of variables of stages."""
    (root / "src").mkdir()
    (root / "src" / "vars.yaml").write_text("name: a\n")
    (root / "base.yaml").write_text("folder: src\n")
    stages = {
        "one": {"wdir": "${folder}", "vars": ["vars.yaml"],
                "cmd": ["echo ${name} > one.txt", "echo more >> one.txt"], "outs": ["one.txt"]},
        "two": {"wdir": "src", "cmd": "cp one.txt ../two.txt", "deps": ["one.txt"],
                "outs": ["../two.txt"]},
    }  # fmt: skip
    write_pipeline(root, {"vars": ["base.yaml"], "stages": stages})
    return 2


def other_formats(root: Path) -> int:
    """Parameters in toml, python and json, and a whole file of them."""
    (root / "a.toml").write_text("[train]\nlr = 0.1\n")
    (root / "b.py").write_text("SIZE = (1, 2)\nclass Deep:\n    depth = 3\n")
    (root / "c.json").write_text('{"k": [1, {"x": null}]}')
    params = [{"a.toml": ["train.lr"]}, {"b.py": ["SIZE", "Deep.depth"]}, {"c.json": None}]
    stage = {"cmd": "touch m", "params": params, "outs": ["m"]}
    write_pipeline(root, {"stages": {"train": stage}})
    return 1


def awkward_names(root: Path) -> int:
    """Names with dashes, dots, spaces and colons, and a file called as a stage is."""
    (root / "raw data.csv").touch()
    (root / "x-1.csv").touch()
    (root / "x_1.csv").touch()
    (root / "train").touch()
    stages: dict[str, Any] = {
        "train": {"cmd": "true", "deps": ["train", "x-1.csv", "x_1.csv"]},
        "eval-all": {"foreach": ["gpt-4o:mini", "a b"],
                     "do": {"cmd": "touch 'o ${item}'", "deps": ["raw data.csv"],
                            "outs": ["o ${item}"]}},
    }  # fmt: skip
    write_pipeline(root, {"stages": stages})
    return 3


def metrics_and_plots(root: Path) -> int:
    """Metrics and plots at the top of the file and in stages, uncached and persistent outputs."""
    stages: dict[str, Any] = {
        "fit": {
            "cmd": "echo '{\"acc\": 1}' > m.json ; echo step,loss > l.csv; touch log",
            "metrics": [{"m.json": {"cache": False}}],
            "plots": [{"l.csv": {"x": "step", "y": "loss"}}],
            "outs": [{"log": {"persist": True, "cache": False}}],
        }
    }
    plots = [{"loss": {"x": "step", "y": {"l.csv": "loss"}}}]
    write_pipeline(root, {"stages": stages, "plots": plots, "metrics": ["m.json"]})
    return 1


def folder_of_outputs(root: Path) -> int:
    """A stage reads a folder into which others write, another a part of a folder."""
    stages: dict[str, Any] = {
        "a": {"cmd": "mkdir -p d/a && touch d/a/1 d/a/2", "outs": ["d/a"]},
        "b": {"cmd": "mkdir -p d && touch d/b", "outs": ["d/b"]},
        "all": {"cmd": "ls d > all", "deps": ["d"], "outs": ["all"]},
        "part": {"cmd": "cp d/a/1 part", "deps": ["d/a/1"], "outs": ["part"]},
    }
    write_pipeline(root, {"stages": stages})
    return 4


def no_stages(root: Path) -> int:
    """Data alone."""
    (root / "images").mkdir()
    (root / "images" / "1.png").write_bytes(b"1")
    run(root, "dvc", "add", "-q", "images")
    return 0


def anchors_and_merges(root: Path) -> int:
    """Templates that are written once and merged, over mappings of a list, with an empty item."""
    (root / "dvc.yaml").write_text("""\
vars:
  - corpora:
      - {name: news-1.2, folder: n}
      - {name: mail, folder: m}
  - kinds: [quick, one_by-one]
stages:
  tune: &tune
    matrix:
      corpus: ${corpora}
      kind: ${kinds}
      flag: ['']
    wdir: ./
    cmd:
      - mkdir -p ${item.corpus.folder}
      - echo ${item.kind} ${item.flag} > ${item.corpus.folder}/${item.kind}.txt
    outs: ["./${item.corpus.folder}/${item.kind}.txt"]
  tune_more:
    <<: *tune
    matrix:
      corpus: ${corpora}
      kind: [slow]
      flag: ['--all']
  sum:
    foreach: ${corpora}
    do:
      cmd: cat ${item.folder}/* > ${item.name}.txt
      deps: ["${item.folder}/"]
      outs: ["${item.name}.txt"]
""")
    return 4 + 2 + 2


def names_with_slashes(root: Path) -> int:
    """Stages that are called as the pages they make, in the root and in folders."""
    stages: dict[str, Any] = {
        f"page/{name}/index": {
            "cmd": f"mkdir -p site/{name} && cp {name}/total.txt site/{name}/index",
            "deps": [f"{name}/total.txt"], "outs": [f"site/{name}/index"],
        }
        for name in ("north", "south")
    }  # fmt: skip
    write_pipeline(root, {"stages": stages})
    for name in ("north", "south"):
        (root / name).mkdir()
        total = {"cmd": "echo 1 > total.txt", "outs": ["total.txt"]}
        write_pipeline(root / name, {"stages": {f"total-{name}": total}})
    return 4


def parameters_of_globs_and_of_outputs(root: Path) -> int:
    """Keys with a star, a whole file, and a file that is read as data and as parameters."""
    (root / "sets.yaml").write_text("kwargs:\n  moons: {n: 1}\n  rings: {}\n")
    stages: dict[str, Any] = {
        "search": {"cmd": "echo 'lr: 0.1' > best.yaml",
                   "params": [{"sets.yaml": ["kwargs.moons*"]}],
                   "outs": [{"best.yaml": {"cache": False}}]},
        "fit": {"cmd": "mkdir -p db && touch db/runs.db", "deps": ["best.yaml"],
                "params": [{"best.yaml": None}, {"sets.yaml": None}],
                "outs": [{"db": {"cache": False, "persist": True}}]},
        "page": {"cmd": "touch page.md", "deps": ["db/runs.db"],
                 "outs": [{"page.md": {"cache": False, "persist": False}}]},
    }  # fmt: skip
    write_pipeline(root, {"stages": stages})
    return 3


SHAPES: list[Shape] = [
    datasets_times_models, twelve_folders, three_hundred_files, imported, working_directories,
    other_formats, awkward_names, metrics_and_plots, folder_of_outputs, no_stages,
    anchors_and_merges, names_with_slashes, parameters_of_globs_and_of_outputs,
]  # fmt: skip


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(s, marks=pytest.mark.slow if s is three_hundred_files else (), id=s.__name__)
        for s in SHAPES
    ],
)
def test_shape_is_as_dvc_sees_it(empty: Path, shape: Shape):
    stages = shape(empty)
    before = compare.compare(empty, "x")
    assert (before.graph, before.changed, before.note) == ("equal", "equal", "")
    assert before.stages == stages
    sources = len(Repository(empty).manifest.sources)
    assert before.definitions == stages + sources
    if stages <= 12:
        reproduce(empty)
        after = compare.compare(empty, "x")
        assert (after.graph, after.changed) == ("equal", "equal")
        assert Repository(empty).changes() == []


def test_table_has_a_row_for_every_checkout(
    empty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    working_directories(empty)
    assert compare.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["repository", "2", "2", "equal", "equal"]
    assert lines[-1] == "1 repositories, 0 that DVC refuses too, 0 wrong"
    circle = "stages:\n  a: {cmd: x, deps: [b], outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
    for text in ("stages: 3\n", circle):
        (empty / "dvc.yaml").write_text(text)
        assert compare.main([str(tmp_path)]) == 0
        assert "refused: dvc.yaml: " in capsys.readouterr().out


def test_checkout_that_was_not_set_up_has_a_row(
    empty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (empty / "sub").mkdir()
    write_pipeline(empty / "sub", {"stages": {}})  # of the repository that it lies in
    (tmp_path / "plain").mkdir()
    write_pipeline(tmp_path / "plain", {"stages": {}})
    assert compare.main([str(tmp_path)]) == 0
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["plain", "repository"]
    assert "not a DVC repository" in rows[0]


@pytest.mark.parametrize(("limit", "said"), [(0.0, "gave up after 0 s"), (60.0, "ended with 3")])
def test_checkout_that_hangs_or_kills_has_a_row(
    empty: Path, monkeypatch: pytest.MonkeyPatch, limit: float, said: str
):
    def worse(*_: Any) -> None:
        if not limit:
            time.sleep(60)
        os._exit(3)

    monkeypatch.setattr(compare, "compare", worse)
    found = compare.compare_apart(empty, "x", limit)
    assert said in found.note
    assert found.is_wrong
    assert found.seconds < 30
