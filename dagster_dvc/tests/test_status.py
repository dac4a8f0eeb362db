"""What changed is what `dvc status` says: over generated repositories, and edits of every kind."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_dvc.repository import Repository
from dagster_dvc.sensors import build_sync_sensor
from dagster_dvc.tests.support import Pipeline, write_pipeline
from dagster_dvc.translator import DvcTranslator

pytestmark = pytest.mark.whole

Edit = Callable[[Path, dict[str, Any]], None]


@contextmanager
def dvc(root: Path) -> Iterator[Any]:
    """Yield DVC's own view of a repository, in this process."""
    from dvc.repo import Repo

    with chdir(root), Repo(str(root)) as repo:
        yield repo


def changed(root: Path) -> set[str]:
    """Return the stages that `dvc status` lists."""
    with dvc(root) as repo:
        return {name for name in repo.status() if not name.endswith(".dvc")}


def reproduce(root: Path, *targets: str) -> None:
    with dvc(root) as repo:
        repo.reproduce(list(targets) or None, all_pipelines=not targets)


def chain(lengths: list[int]) -> dict[str, Any]:
    """Return rows of stages, each of which copies what the one before it wrote."""
    stages: dict[str, Any] = {}
    for row, length in enumerate(lengths):
        for place in range(length):
            read = f"raw/{row}.txt" if place == 0 else f"out/{row}/{place - 1}"
            made = f"out/{row}/{place}"
            stages[f"s{row}-{place}"] = {
                "cmd": f"mkdir -p {made}; cp -r {read} code.py {made}/; echo 1 >m{row}{place}.json",
                "deps": [read, "code.py"],
                "params": [f"p{row}"],
                "outs": [made],
                "metrics": [{f"m{row}{place}.json": {"cache": False}}],
            }
    stages["all"] = {"cmd": "ls out > all.txt", "deps": ["out"], "outs": ["all.txt"]}
    stages["each"] = {
        "foreach": "${items}",
        "do": {"cmd": "echo ${item} > each-${item}.txt", "deps": ["code.py"],
               "outs": ["each-${item}.txt"]},
    }  # fmt: skip
    stages["pair"] = {
        "cmd": "cp raw/0.txt pair.txt", "deps": ["raw/0.txt"], "params": [{"p.py": ["BOTH"]}],
        "outs": ["pair.txt"],
    }  # fmt: skip
    return stages


def build(root: Path, lengths: list[int]) -> dict[str, Any]:
    (root / "raw").mkdir()
    for row in range(len(lengths)):
        (root / "raw" / f"{row}.txt").write_text(f"{row}\n")
    (root / "code.py").write_text("one = 1\n")
    (root / "p.py").write_text("BOTH = (1, 2)\n")
    params = {f"p{row}": {"deep": [1, row]} for row in range(len(lengths))}
    (root / "params.yaml").write_text(yaml.safe_dump(params | {"items": ["x", "y"]}))
    stages = chain(lengths)
    write_pipeline(root, {"stages": stages})
    return stages


def _params(root: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text())
    change(content)
    (root / "params.yaml").write_text(yaml.safe_dump(content))


def _lock(root: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = yaml.safe_load((root / "dvc.lock").read_text())
    change(content["stages"])
    (root / "dvc.lock").write_text(yaml.safe_dump(content))


def _list_of_commands(_: Path, stages: dict[str, Any]) -> None:
    stages["all"]["cmd"] = [stages["all"]["cmd"]]


# What people do to a repository; each is given the root, and the stages of dvc.yaml to change.
EDITS: dict[str, Edit] = {
    "raw file edited": lambda root, _: (root / "raw/0.txt").write_text("9\n"),
    "raw file gone": lambda root, _: (root / "raw/0.txt").unlink(),
    "code edited": lambda root, _: (root / "code.py").write_text("two = 2\n"),
    "code touched": lambda root, _: os.utime(root / "code.py"),
    "parameter edited": lambda root, _: _params(root, lambda p: p.update(p0={"deep": 7})),
    "parameter gone": lambda root, _: _params(root, lambda p: p.pop("p0")),
    "parameter of nobody": lambda root, _: _params(root, lambda p: p.update(other=1)),
    "parameter of a template": lambda root, _: _params(root, lambda p: p["items"].append("z")),
    "tuple of a python file": lambda root, _: (root / "p.py").write_text("BOTH = (1, 3)\n"),
    "same tuple": lambda root, _: (root / "p.py").write_text("# a word\nBOTH = (1, 2)\n"),
    "file added to an output": lambda root, _: (root / "out/0/0/new").write_text("x"),
    "output gone": lambda root, _: (root / "all.txt").unlink(),
    "output of the middle gone": lambda root, _: shutil.rmtree(root / "out/0/0"),
    "metric edited": lambda root, _: (root / "m00.json").write_text("2\n"),
    "cache lost": lambda root, _: shutil.rmtree(root / ".dvc/cache"),
    "command edited": lambda _, stages: stages["all"].update(cmd="ls -a out > all.txt"),
    "command as a list": _list_of_commands,
    "dependency added": lambda _, stages: stages["all"]["deps"].append("code.py"),
    "dependency added that is not there": lambda _, s: s["all"]["deps"].append("nothing.txt"),
    "dependency taken out": lambda _, stages: stages["s0-0"]["deps"].remove("code.py"),
    "output added": lambda _, stages: stages["all"]["outs"].append("more.txt"),
    "output taken out": lambda _, stages: stages["s0-0"].pop("metrics"),
    "parameter added": lambda _, stages: stages["all"].update(params=["p0"]),
    "parameter taken out": lambda _, stages: stages["s0-0"].pop("params"),
    "frozen": lambda _, stages: stages["s0-0"].update(frozen=True),
    "always changed": lambda _, stages: stages["all"].update(always_changed=True),
    "frozen and always changed": lambda _, s: s["all"].update(frozen=True, always_changed=True),
    "stage that others read under another name": lambda _, s: s.update(first=s.pop("s0-0")),
    "stage taken out": lambda _, stages: stages.pop("pair"),
    "stage added": lambda _, stages: stages.update(new={"cmd": "touch new", "outs": ["new"]}),
    "description edited": lambda _, stages: stages["all"].update(desc="A list."),
    "forgotten by dvc.lock": lambda root, _: _lock(root, lambda stages: stages.pop("all")),
    "never ran": lambda root, _: (root / "dvc.lock").unlink(),
    "raw file edited and run": lambda root, _: (
        (root / "raw/0.txt").write_text("8\n"), reproduce(root, "s0-0"))[0],
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which everything has run once."""
    root = tmp_path_factory.mktemp("finished") / "repository"
    shutil.copytree(initialised, root)
    build(root, [2, 1])
    reproduce(root)
    assert changed(root) == set()
    return root


def tick(root: Path, instance: dg.DagsterInstance) -> None:
    """Let the sync sensor look, and store what it reports."""
    context = dg.build_sensor_context(instance=instance)
    result = build_sync_sensor(root, DvcTranslator())(context)
    for event in getattr(result, "asset_events", []):
        instance.report_runless_asset_event(event)


def apply(root: Path, edits: list[str]) -> None:
    content = yaml.safe_load((root / "dvc.yaml").read_text())
    for name in edits:
        EDITS[name](root, content["stages"])
    if content != yaml.safe_load((root / "dvc.yaml").read_text()):
        write_pipeline(root, content)


def compare(root: Path, instance: dg.DagsterInstance) -> None:
    """Hold the bridge's changes and Dagster's stale assets against DVC."""
    expected = changed(root)
    repository = Repository(root)
    assert {change.stage for change in repository.changes()} == expected
    tick(root, instance)
    names = DvcTranslator().names(repository.manifest).stages
    unsynced = Pipeline(root, instance, DvcTranslator()).unsynced()
    assert unsynced == {names[name].to_user_string() for name in expected}
    assert repository.reader.edges() == {
        (n, u) for n, s in repository.manifest.stages.items() for u in s.upstream
    }


@pytest.mark.parametrize("name", EDITS)
def test_changed_is_what_dvc_says_after(name: str, finished: Path, tmp_path: Path):
    instance = dg.DagsterInstance.ephemeral()
    root = Path(shutil.copytree(finished, tmp_path / "repository", symlinks=True))
    tick(root, instance)
    apply(root, [name])
    compare(root, instance)


def test_what_was_lost_and_came_back_is_synced_again(finished: Path, tmp_path: Path):
    instance = dg.DagsterInstance.ephemeral()
    root = Path(shutil.copytree(finished, tmp_path / "repository", symlinks=True))
    tick(root, instance)
    for edit in ("output of the middle gone", "metric edited"):
        apply(root, [edit])
        compare(root, instance)
    reproduce(root)
    compare(root, instance)
    assert Pipeline(root, instance, DvcTranslator()).unsynced() == set()


def check_generated(initialised: Path, lengths: list[int], edits: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "repository"
        shutil.copytree(initialised, root)
        build(root, lengths)
        reproduce(root)
        instance = dg.DagsterInstance.ephemeral()
        tick(root, instance)
        for edit in edits:
            try:
                apply(root, [edit])
            except (FileNotFoundError, KeyError, ValueError):
                continue  # an earlier edit took away what this one edits
            compare(root, instance)


repositories = given(
    lengths=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    edits=st.lists(st.sampled_from(sorted(EDITS)), min_size=2, max_size=5),
)
relaxed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@repositories
@settings(max_examples=3, deadline=None, suppress_health_check=relaxed, derandomize=True)
def test_changed_is_what_dvc_says_of_generated_repositories(
    initialised: Path, lengths: list[int], edits: list[str]
):
    check_generated(initialised, lengths, edits)


@pytest.mark.slow
@repositories
@settings(max_examples=150, deadline=None, suppress_health_check=relaxed)
def test_changed_is_what_dvc_says_of_many_generated_repositories(
    initialised: Path, lengths: list[int], edits: list[str]
):
    check_generated(initialised, lengths, edits)
