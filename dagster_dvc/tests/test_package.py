"""The package by itself: it knows no project, and what is built holds all of it."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
OUTSIDE = [*PACKAGE.glob("*.py"), *(PACKAGE / "running").glob("*.py")]
MODULES = [*OUTSIDE, *(PACKAGE / "private").glob("*.py")]


def test_nothing_is_imported_but_what_is_declared():
    known = {*sys.stdlib_module_names, "dagster_dvc"}
    declared = {"dagster", "dagster_pipes", "dvc", "dvc_data", "psutil", "yaml", "pyarrow"}
    declared |= {"dpath", "pydantic", "voluptuous"}  # which these bring
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= known | declared, file


def test_tests_import_no_project():
    for file in (PACKAGE / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom | ast.Import):
                text = ast.unparse(node)
                assert "smar" not in text, file
                assert "orchestration" not in text, file


def test_private_parts_are_touched_in_one_place_alone():
    """Of Dagster the other modules use what is documented, and of DVC its command line."""
    for file in OUTSIDE:
        for node in ast.walk(ast.parse(file.read_text())):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            named += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in named:
                first = name.partition(".")[0]
                assert first not in {"dvc", "dvc_data", "dpath"}, f"{file}: {name}"
                assert first != "dagster" or name == "dagster", f"{file}: {name}"


def test_modules_hide_none_of_the_standard_library():
    """Tests of the package may be run from within it, where its modules come first."""
    assert {file.stem for file in PACKAGE.glob("*.py")} & set(sys.stdlib_module_names) == set()


def test_wheel_holds_every_module_and_no_tests(tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(copy(tmp_path))]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"dagster_dvc/{file.relative_to(PACKAGE).as_posix()}" for file in MODULES}
    assert held == expected | {"dagster_dvc/py.typed"}


def copy(folder: Path) -> Path:
    """Return a copy of the sources, so that building leaves nothing beside them."""
    import shutil

    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    return Path(shutil.copytree(PACKAGE, folder / "sources", ignore=ignored))
