"""Broken and old files: DVC's own reason, with file, line and key, and the next step."""

import os
from pathlib import Path

import pytest

from dagster_dvc.errors import ManifestError
from dagster_dvc.repository import load_manifest

OLD_STAGE = """cmd: python train.py
md5: 0123456789abcdef0123456789abcdef
wdir: .
deps:
- path: data.csv
  md5: 0123456789abcdef0123456789abcdef
outs:
- path: model.pkl
  md5: 0123456789abcdef0123456789abcdef
  cache: true
  metric: false
  persist: false
"""


def write(root: Path, file: str, text: str) -> None:
    (root / file).parent.mkdir(exist_ok=True, parents=True)
    (root / file).write_text(text)


@pytest.mark.parametrize(
    ("file", "text", "parts"),
    [
        ("dvc.yaml", "stages:\n  a:\n    cmd: x\n   deps: [\n", ["dvc.yaml: ", "line 4"]),
        ("dvc.yaml", "stages:\n  a:\n    command: x\n", ["dvc.yaml: ", "line 3", "'stages.a"]),
        ("dvc.yaml", "stages:\n  a:\n    cmd: x\n    outs: 3\n", ["line 4, key 'stages.a.outs"]),
        ("sub/dvc.yaml", "vars: [none.yaml]\nstages:\n  a:\n    cmd: x\n",
         ["sub/dvc.yaml: ", "none.yaml' does not exist; line 1, key 'vars'"]),
        ("sub/dvc.yaml", "vars:\n- a: 1\n- none.yaml\nstages:\n  a:\n    cmd: x\n",
         ["none.yaml' does not exist; line 3, key 'vars'"]),
        ("dvc.yaml", "stages:\n  a:\n    cmd: x ${none}\n",
         ["'none'; line 3, key 'stages.a.cmd'"]),
        ("dvc.yaml", "stages:\n  a:\n    cmd: x\nlive:\n  dir: l\n", ["line 4, key 'live'", "3.0"]),
        ("train.dvc", "stages: [", ["train.dvc: "]),
        ("train.dvc", "outs:\n- path: x\n  checksum_of: 3\n", ["train.dvc: ", "key 'outs"]),
        (".dvc/config", "[core\nremote = x\n", [".dvc/config: ", "dvc config --list"]),
        ("params.yaml", "day: 2026-01-01\n", ["dvc.yaml: ", "'params.yaml:day'", "in quotes"]),
        ("params.yaml", "a: [\n", ["/params.yaml: unable", "`git checkout params"]),
        ("dvc.lock", "stages:\n<<<<<<< a\n  a: 1\n=======\n", ["/dvc.lock: ", "merge conflict"]),
        ("dvc.yaml", "stages:\n  a: {cmd: x, deps: ['hdfs://b/k']}\n",
         ["dvc.yaml: ", "`pip install dvc-hdfs`"]),
        (".dvc/config", "[core]\nno_such_thing = x\n",
         [".dvc/config: ", "line 2, key 'core.no_such_thing'"]),
        (".dvc/config", "[core]\n['remote \"a\"']\nurl = /x\nold = 1\n",
         ["line 4, key 'remote.a.old'"]),
        ("dvc.lock", "a:\n  cmd: x\n", ["/dvc.lock: ", "line 1, key 'a'", "of DVC 1.x"]),
        ("params.toml", "a = [\n", ["/params.toml: ", "TOML", "line 1"]),
    ],
)  # fmt: skip
def test_reason_is_dvc_s_own_with_file_line_and_next_step(
    empty: Path, file: str, text: str, parts: list[str]
):
    params = "[{params.toml: [day]}]" if file == "params.toml" else "[day]"
    write(empty, "dvc.yaml", f"stages:\n  a: {{cmd: x, params: {params}}}\n")
    write(empty, file, text)
    with pytest.raises(ManifestError) as caught:
        load_manifest(empty)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert "Next: " in message


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_stage_that_cannot_be_resolved_says_where(
    empty: Path, place: str, monkeypatch: pytest.MonkeyPatch
):
    write(
        empty,
        "sub/dvc.yaml",
        """\
stages:
  lost:
    vars:
    - none.yaml
    cmd: x
  each:
    foreach: [1, 2]
    do:
      cmd: echo ${nothing}
  good: {cmd: y, deps: [../sub/x]}
""",
    )
    monkeypatch.chdir(empty / place)
    said = {s.local_name: s.problem for s in load_manifest(empty).stages.values()}
    assert said["lost"] == (
        "failed to parse stage 'lost' in 'sub/dvc.yaml': 'sub/none.yaml' does not exist; "
        "line 4, key 'stages.lost'"
    )
    assert said["each@1"].endswith("line 9, key 'stages.each@1.cmd'")
    assert said["good"] == ""


def test_all_broken_files_are_told_at_once(empty: Path):
    for folder in ("one", "two"):
        write(empty, f"{folder}/dvc.yaml", "stages: 3\n")
    with pytest.raises(ManifestError) as caught:
        load_manifest(empty)
    assert "one/dvc.yaml" in str(caught.value)
    assert "two/dvc.yaml" in str(caught.value)


def test_stage_of_an_old_dvc_file_is_told_with_the_way_out(empty: Path):
    write(empty, "train.dvc", OLD_STAGE)
    with pytest.raises(ManifestError, match=r"train\.dvc: .*line 1, key 'cmd'.*dvc stage add"):
        load_manifest(empty)


def test_cycle_is_refused_in_dvc_s_words(empty: Path):
    stages = "  a: {cmd: x, deps: [b], outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
    write(empty, "dvc.yaml", f"stages:\n{stages}")
    with pytest.raises(ManifestError, match=r"dvc\.yaml: .*both a dependency and an output"):
        load_manifest(empty)


def test_output_within_an_output_is_refused_in_dvc_s_words(empty: Path):
    stages = "  a: {cmd: x, outs: [a]}\n  b: {cmd: x, outs: [a/b]}\n"
    write(empty, "dvc.yaml", f"stages:\n{stages}")
    with pytest.raises(ManifestError, match=r"dvc\.yaml: .*overlap"):
        load_manifest(empty)


def test_file_that_git_ignores_is_dvc_s_to_refuse_or_to_leave_out(empty: Path):
    write(empty, ".gitignore", "dvc.lock\n")
    write(empty, "dvc.yaml", "stages:\n  a: {cmd: x, outs: [a]}\n")
    write(empty, "dvc.lock", "schema: '2.0'\nstages: {}\n")
    with pytest.raises(ManifestError, match=r"dvc\.lock.*git-ignored"):
        load_manifest(empty)
    assert os.access(empty, os.R_OK)


def test_nesting_without_end_is_refused(empty: Path):
    write(empty, "dvc.yaml", f"stages: {'[' * 400}{']' * 400}\n")
    with pytest.raises(ManifestError, match=r"dvc\.yaml: "):
        load_manifest(empty)
