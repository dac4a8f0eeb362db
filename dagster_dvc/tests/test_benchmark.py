"""The benchmark says what it measured, on a repository of three stages."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "speed.py"


@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        (["--repeats", "1"], ["3"]),
        pytest.param(["--runs"], ["run,", "none", "changed"], marks=pytest.mark.slow),
    ],
)
def test_benchmark_measures_and_names_its_target(arguments: list[str], row: list[str]):
    command = [sys.executable, str(SCRIPT), "--stages", "3", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    last = said.splitlines()[-1]
    assert last.split()[: len(row)] == row
    assert last.endswith(("met", "missed"))
