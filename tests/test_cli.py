"""The command line: frozen, quick to start, and errors that say the next step."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from smar.cli import STAGES, build_parser, main, run_safely

SHARED = {"-h", "--help", "--root", "-q", "--quiet"}


def test_command_line_options_are_frozen():
    subparsers = next(
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    options = {
        name: {option for action in parser._actions for option in action.option_strings} - SHARED
        for name, parser in subparsers.choices.items()
    }
    assert options == {stage: set() for stage in STAGES} | {
        "search": {
            "-k",
            "--as-typed",
            "--explain",
            "--html",
            "--json",
            "--min-relevance",
            "--release",
        },
        "releases": {"--json"},
        "rollback": set(),
        "diff": {"--html"},
        "verify": set(),
        "params": {"--check", "--upgrade", "--json"},
        "demo": set(),
        "backbone": {"--revision"},
        "encode": {"--release"},
        "export": {"--for", "--check", "--release"},
        "register": {"--name"},
        "fetch-pictures": {"--per-host", "--delay", "--allow-private", "--store"},
        "serve": {"--host", "--port", "--release", "--settings", "--workers"},
        "plan": {"--items", "--cores", "--memory-gb", "--price", "--hours", "--measured", "--json"},
        "dataset": {"--source", "--to", "--part", "--truth", "--release", "--json"},
    }


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom smar.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'yaml', 'transformers', 'faiss'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert all(stage in result.stdout for stage in STAGES)


@pytest.mark.parametrize("arguments", [["embed"], ["search", "boot"]])
def test_folder_without_params_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    assert main([*arguments, "--root", str(tmp_path)]) == 2
    assert "no params.yaml there. Run smar in a project's folder" in capsys.readouterr().err


def test_search_before_a_run_names_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "params.yaml").touch()
    assert main(["search", "boot", "--root", str(tmp_path)]) == 2
    assert "Run `dvc repro` to make it" in capsys.readouterr().err


def test_demo_refuses_a_folder_that_is_not_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "mine.txt").touch()
    assert main(["demo", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_unknown_command_names_the_known_ones(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        main(["trian"])
    assert error.value.code == 2
    assert "'finetune'" in capsys.readouterr().err


def test_unknown_command_that_is_a_program_of_its_own_is_started(tmp_path: Path):
    program = tmp_path / "smar-hello"
    program.write_text('#!/bin/sh\necho "hello $1"; exit 3\n')
    program.chmod(0o755)
    command = [sys.executable, "-m", "smar", "hello", "a b"]
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (3, "hello a b\n")


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_number_format_that_no_device_here_has_is_refused_before_the_first_stage(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = tmp_path / "params.yaml"
    file.write_text(f"{stage}: {{precision: float16}}\n")
    for command in (["params", "--check"], ["ingest"], ["synthesize"], ["pretrain"]):
        assert main([*command, "--root", str(tmp_path)]) == 2
        assert f"{stage}.precision: 'float16' on this machine" in capsys.readouterr().err
    file.write_text(f"{stage}: {{precision: float16}}\ncluster: {{kind: ray}}\n")
    assert main(["params", "--check", "--root", str(tmp_path)]) == 0


def test_what_does_not_fit_into_memory_is_one_message(capsys: pytest.CaptureFixture[str]):
    import torch

    assert run_safely("pretrain", lambda: torch.empty(2**50)) == 2
    told = capsys.readouterr().err
    assert told.startswith("smar pretrain: out of memory (")
    assert told.count("\n") == 1

    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    assert run_safely("pretrain", fail) == 2
    assert "Tried to allocate 2 GiB" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="shapes"):
        run_safely("pretrain", lambda: torch.ones(2, 3) @ torch.ones(2, 3))
