"""What changed is what `dvc status` says, after edits that one would not think of."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_dvc.tests.support import run, write_pipeline
from dagster_dvc.tests.test_status import changed, compare, reproduce, tick

pytestmark = pytest.mark.whole

Edit = Callable[[Path, dict[str, Any]], Any]


def build(root: Path) -> None:
    """Write a repository with one of everything: folders, links, variables, plots, imports."""
    for folder in ("raw/deep", "src", "sub", "elsewhere"):
        (root / folder).mkdir(parents=True)
    (root / "raw" / "a.txt").write_text("a\n")
    (root / "raw" / "deep" / "b.txt").write_text("b\n")
    (root / "elsewhere" / "c.txt").write_text("c\n")
    (root / "raw" / "link.txt").symlink_to("../elsewhere/c.txt")
    (root / "one.txt").write_text("1\n")
    (root / "linked").symlink_to("elsewhere")
    (root / "params.yaml").write_text(
        "lr: 1\ndeep: {a: {b: 1, c: 2}, l: [1, 2]}\nempty:\nname: x\n"
    )
    (root / "first.yaml").write_text("order: [1, 2]\nonly_first: 1\n")
    (root / "second.yaml").write_text("other: 2\n")
    (root / "config.toml").write_text('title = "t"\n[a]\nb = 1\n')
    (root / "table.csv").write_text("x,y\n1,2\n")
    (root / "images").mkdir()
    (root / "images" / "1.png").write_bytes(b"1")
    run(root, "dvc", "add", "-q", "images", "table.csv")
    (root.parent / "outside.csv").write_text("o\n")
    run(root, "dvc", "import-url", "-q", "../outside.csv", "imported.csv")
    stages: dict[str, Any] = {
        "folder": {"cmd": "ls -R raw > folder.txt", "deps": ["raw"], "outs": ["folder.txt"]},
        "linked": {"cmd": "cp linked/c.txt l.txt", "deps": ["linked/c.txt"], "outs": ["l.txt"]},
        "deep": {"cmd": "touch d.txt", "params": ["deep.a", "deep.l", "empty", "name"],
                 "outs": ["d.txt"]},
        "whole": {"cmd": "touch w.txt", "params": [{"config.toml": None}], "outs": ["w.txt"]},
        "vars": {"cmd": "echo ${order[0]} ${other} > v.txt", "outs": ["v.txt"]},
        "kept": {"cmd": "echo more >> kept.txt", "deps": ["one.txt"],
                 "outs": [{"kept.txt": {"persist": True}}]},
        "uncached": {"cmd": "cp one.txt u.txt", "deps": ["one.txt"],
                     "outs": [{"u.txt": {"cache": False}}]},
        "frozen": {"cmd": "cp one.txt f.txt", "deps": ["one.txt"], "outs": ["f.txt"],
                   "frozen": True},
        "always": {"cmd": "touch always.txt", "outs": ["always.txt"], "always_changed": True},
        "wd": {"wdir": "src", "cmd": "cp ../one.txt w.txt", "deps": ["../one.txt"],
               "outs": ["w.txt"]},
        "plots": {"cmd": "cp table.csv p.csv", "deps": ["table.csv"],
                  "plots": [{"p.csv": {"x": "x", "y": "y", "template": "linear"}}]},
        "pictures": {"cmd": "ls images > i.txt", "deps": ["images", "imported.csv"],
                     "outs": ["i.txt"]},
        "made": {"cmd": "mkdir -p made && cp one.txt made/1 && cp one.txt made/2",
                 "deps": ["one.txt"], "outs": ["made"]},
        "part": {"cmd": "cp made/1 part.txt", "deps": ["made/1"], "outs": ["part.txt"]},
        "noout": {"cmd": "true", "deps": ["part.txt"]},
    }  # fmt: skip
    write_pipeline(root, {"vars": ["first.yaml", "second.yaml"], "stages": stages})
    copy = {"cmd": "cp ../part.txt s.txt", "deps": ["../part.txt"], "outs": ["s.txt"]}
    write_pipeline(root / "sub", {"stages": {"copy": copy | {"params": ["deep.a.b"]}}})
    (root / "sub" / "params.yaml").write_text("deep: {a: {b: 1}}\n")


def _rewrite(file: str, old: str, new: str) -> Edit:
    def edit(root: Path, _: Any) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return edit


def _relink(root: Path, _: Any) -> None:
    (root / "linked").unlink()
    (root / "other").mkdir()
    (root / "other" / "c.txt").write_text("other\n")
    (root / "linked").symlink_to("other")


def _as_link(root: Path, _: Any) -> None:
    shutil.move(root / "one.txt", root / "moved.txt")
    (root / "one.txt").symlink_to("moved.txt")


def _run_elsewhere(root: Path, _: Any) -> None:
    """Change an input, run, and change it back: the run cache knows, dvc.lock does not."""
    before = (root / "one.txt").read_bytes()
    (root / "one.txt").write_text("2\n")
    reproduce(root, "made")
    (root / "one.txt").unlink()
    (root / "one.txt").write_bytes(before)


def _file_for_folder(root: Path, _: Any) -> None:
    shutil.rmtree(root / "made")
    (root / "made").write_text("a file\n")


def _put(file: str, text: str) -> Edit:
    return lambda root, _: (root / file).write_text(text)


def _gone(file: str) -> Edit:
    return lambda root, _: (root / file).unlink()


def _stage(name: str, **facts: Any) -> Edit:
    return lambda _, stages: stages[name].update(facts)


EDITS: dict[str, Edit] = {
    "file added to a folder": _put("raw/new.txt", "x"),
    "file of a folder ignored": _put(".dvcignore", "__pycache__\nraw/a.txt\n"),
    "ignored file added to a folder": lambda root, _: (
        (root / "raw" / "__pycache__").mkdir(), (root / "raw/__pycache__/x").touch()),
    "empty folder added to a folder": lambda root, _: (root / "raw" / "empty").mkdir(),
    "file of a folder renamed": lambda root, _: (root / "raw/a.txt").rename(root / "raw/z.txt"),
    "target of a link in a folder edited": _put("elsewhere/c.txt", "cc\n"),
    "link of a folder turned": _relink,
    "file replaced by a link to it": _as_link,
    "touched and nothing else": lambda root, _: os.utime(root / "one.txt"),
    "made executable": lambda root, _: (root / "one.txt").chmod(0o755),
    "an output made executable": lambda root, _: (root / "l.txt").chmod(0o755),
    "line ends": _put("one.txt", "1\r\n"),
    "order of variable files": lambda root, _: (
        (root / "second.yaml").write_text("other: 3\n")),
    "variable moved to the other file": lambda root, _: (
        (root / "first.yaml").write_text("only_first: 1\n"),
        (root / "second.yaml").write_text("other: 2\norder: [1, 2]\n")),
    "inner parameter edited": _rewrite("params.yaml", "c: 2", "c: 3"),
    "order of inner parameters": _rewrite("params.yaml", "b: 1, c: 2", "c: 2, b: 1"),
    "parameter as text": _rewrite("params.yaml", "c: 2", "c: '2'"),
    "parameter as float": _rewrite("params.yaml", "c: 2", "c: 2.0"),
    "parameter true for one": _rewrite("params.yaml", "b: 1", "b: true"),
    "empty parameter filled": _rewrite("params.yaml", "empty:", "empty: 1"),
    "parameter that is gone": _rewrite("params.yaml", "name: x\n", ""),
    "inner parameter that is gone": _rewrite("params.yaml", "b: 1, ", ""),
    "list of parameters": _rewrite("params.yaml", "[1, 2]", "[1, 2, 3]"),
    "parameter of the sub-folder alone": _rewrite("sub/params.yaml", "b: 1", "b: 2"),
    "file of parameters gone": _gone("sub/params.yaml"),
    "comment in toml": _rewrite("config.toml", 'title = "t"', '# c\ntitle = "t"'),
    "key added to toml": _rewrite("config.toml", "b = 1", "b = 1\nc = 2"),
    "kept output gone": _gone("kept.txt"),
    "kept output edited": lambda root, _: (
        (root / "kept.txt").unlink(), (root / "kept.txt").write_text("x")),
    "uncached output gone": _gone("u.txt"),
    "uncached output edited": _put("u.txt", "3\n"),
    "output of a frozen stage gone": _gone("f.txt"),
    "output in a working directory gone": _gone("src/w.txt"),
    "file of an output folder gone": _gone("made/2"),
    "file of an output folder that is read gone": _gone("made/1"),
    "output folder is a file": _file_for_folder,
    "plot's template": lambda _, s: s["plots"].update(
        plots=[{"p.csv": {"x": "y", "template": "scatter"}}]),
    "plot as a plain output": lambda _, s: (
        s["plots"].pop("plots"), s["plots"].update(outs=["p.csv"])),
    "output no longer cached": _stage("linked", outs=[{"l.txt": {"cache": False}}]),
    "output kept from now on": _stage("linked", outs=[{"l.txt": {"persist": True}}]),
    "output pushed nowhere": _stage("linked", outs=[{"l.txt": {"push": False}}]),
    "frozen after an edit": lambda root, s: (
        (root / "one.txt").write_text("5\n"), s["wd"].update(frozen=True)),
    "unfrozen": lambda root, s: s["frozen"].pop("frozen"),
    "unfrozen after an edit": lambda root, s: (
        (root / "one.txt").write_text("5\n"), s["frozen"].pop("frozen")),
    "always changed no more": lambda _, s: s["always"].pop("always_changed"),
    "another working directory": _stage("wd", wdir="sub", outs=["w.txt"]),
    "working directory by another way": _stage("wd", wdir="./sub/../src"),
    "command with more spaces": _stage("noout", cmd="true "),
    "command in two lines": _stage("noout", cmd="true\ntrue"),
    "command of two": _stage("noout", cmd=["true", "true"]),
    "stage under another name": lambda _, s: s.update(other=s.pop("noout")),
    "stages in another order": lambda _, s: s.update(deep=s.pop("deep")),
    "picture added": lambda root, _: (root / "images/2.png").write_bytes(b"2"),
    "tracked file edited": lambda root, _: (
        (root / "table.csv").unlink(), (root / "table.csv").write_text("x,y\n2,3\n")),
    "tracked file gone": _gone("table.csv"),
    "tracking given up": lambda root, _: (
        (root / "table.csv.dvc").unlink()),
    "imported file edited": lambda root, _: (
        (root / "imported.csv").unlink(), (root / "imported.csv").write_text("p\n")),
    "source of an import edited": _put("../outside.csv", "oo\n"),
    "source of an import gone": _gone("../outside.csv"),
    "dvc.lock gone": _gone("dvc.lock"),
    "dvc.lock of the sub-folder gone": _gone("sub/dvc.lock"),
    "dvc.lock without stages": _put("dvc.lock", "schema: '2.0'\nstages: {}\n"),
    "cache and outputs gone": lambda root, _: (
        shutil.rmtree(root / ".dvc/cache"), (root / "l.txt").unlink()),
    "run cache gone": lambda root, _: shutil.rmtree(root / ".dvc/cache/runs"),
    "state of hashes gone": lambda root, _: shutil.rmtree(root / ".dvc/tmp"),
    "ran with another input and put back": _run_elsewhere,
    "dependency twice by two ways": _stage("noout", deps=["part.txt", "./sub/../part.txt"]),
    "dependency on a folder above its file": _stage("part", deps=["made"]),
    "dependency on itself's folder": _stage("noout", deps=["src"]),
    "parameters of a whole file": lambda _, s: s["deep"].update(params=[{"params.yaml": None}]),
    "parameter that nobody has": _stage("noout", params=["no.such"]),
    "output that another dvc.yaml reads": _put("part.txt", "q\n"),
}  # fmt: skip


# The others run with the slow tests.
ALWAYS = {
    "file of a folder ignored", "link of a folder turned", "made executable",
    "parameter true for one",
    "inner parameter that is gone", "file of parameters gone", "kept output gone", "dvc.lock gone",
    "uncached output gone", "output folder is a file", "unfrozen after an edit",
    "tracking given up",
    "source of an import edited", "plot's template", "ran with another input and put back",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository after everything has run once, and the file outside of it."""
    root = tmp_path_factory.mktemp("edits") / "all" / "repository"
    shutil.copytree(initialised, root)
    build(root)
    shutil.copy(root / "one.txt", root / "f.txt")  # of a stage that is frozen from the start
    reproduce(root)
    assert changed(root) == {"always"}
    return root.parent


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in ALWAYS else pytest.mark.slow) for n in EDITS],
)
def test_changed_is_what_dvc_says_after(name: str, finished: Path, tmp_path: Path):
    root = Path(shutil.copytree(finished, tmp_path / "all", symlinks=True)) / "repository"
    instance = dg.DagsterInstance.ephemeral()
    tick(root, instance)
    content = yaml.safe_load((root / "dvc.yaml").read_text())
    before = yaml.safe_dump(content)
    EDITS[name](root, content["stages"])
    if yaml.safe_dump(content, sort_keys=False) != before:
        write_pipeline(root, content)
    compare(root, instance)
