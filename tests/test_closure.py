"""What stands for code: it changes with what is imported, and parameters can count by value."""

import ast
import shutil
from pathlib import Path

import pytest

from smar import closure as module
from smar.closure import PARAMS, closure, code_key
from smar.index.kept import how_encoded, how_fitted

READER = "smar.sources.log_kept"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that may be edited."""
    copy = tmp_path / "smar"
    shutil.copytree(module.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE", copy)
    module._needed_by.cache_clear()
    yield copy
    module._needed_by.cache_clear()


def _parsed(text: str) -> set[str]:
    """Return what a file's text imports of smar, by Python's own parser."""
    names = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "smar"}


def test_imports_are_those_that_a_parser_finds():
    files = [path.read_text(encoding="utf-8") for path in module.PACKAGE.rglob("*.py")]
    files += [
        "from smar.a import (  # (so)\n    b as c,  # and d, e\n    f,\n)\nimport smar.g as h\n",
        "if x:\n    from smar import i, j as k\n\tfrom smarter import l\n",
        "def f():\n  import smar.m  # n, smar.o\n  from os import path\n",
    ]
    assert len(files) > 500
    for text in files:
        ours = {name for name in module._imported(text) if name.split(".")[0] == "smar"}
        assert ours == _parsed(text.replace("\t", "    "))


def test_parameters_and_what_they_alone_need_can_be_left_out():
    whole, rest = closure(READER), closure(READER, but=PARAMS)
    assert "smar/params/ingest.py" in closure("smar.sources.ubi")
    assert not [file for file in rest if file.startswith("smar/params/")]
    assert set(rest) <= set(whole)


@pytest.mark.parametrize(
    ("file", "changes"), [("params/ingest.py", False), ("sources/times.py", False),
                          ("sources/log_records.py", True), ("sources/actions.py", True)],
)  # fmt: skip
def test_key_of_a_reader_changes_with_its_code_alone(package: Path, file: str, changes: bool):
    before = code_key(["smar.sources.ubi"], told="settings", but=PARAMS)
    with (package / file).open("a") as written:
        written.write("# another line\n")
    assert (code_key(["smar.sources.ubi"], told="settings", but=PARAMS) != before) == changes


def test_key_changes_with_what_is_told():
    keys = {code_key([READER], told=told, but=PARAMS) for told in ("a", "b")}
    assert len(keys) == 2


def test_several_packages_and_single_modules_can_be_left_out():
    rest = closure("smar.stages.index", but=(PARAMS, "models", "artifacts"))
    assert "smar/index/fitting.py" in rest
    assert "smar/artifacts.py" not in rest
    assert "smar/kept_files.py" in rest
    assert not [file for file in rest if file.startswith(("smar/models/", "smar/params/"))]


@pytest.mark.parametrize(
    ("file", "fits_anew", "asks"),
    [("models/text.py", False, True), ("data/tokens.py", False, True),
     ("models/fusion/__init__.py", False, True), ("artifacts.py", False, True),
     ("index/choice.py", True, False), ("stages/index.py", True, False),
     ("judging/sets.py", True, False), ("data/text.py", True, True)],
)  # fmt: skip
def test_an_index_is_fitted_anew_by_what_fits_it_and_asks_what_encodes(
    package: Path, file: str, *, fits_anew: bool, asks: bool
):
    fitted, encoded = how_fitted({}), how_encoded()
    with (package / file).open("a") as written:
        written.write("# another line\n")
    assert (how_fitted({}) != fitted) == fits_anew
    assert (how_encoded() != encoded) == asks
