"""The environment of a project, whatever its folder is called and wherever it goes.

Folders have spaces and brackets here: shells split the one, and file patterns mean the other.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAME = "my shop [new] (1)"
OUTSIDE = {"PYTHONPATH", "DAGSTER_HOME", "SMAR_POSTGRES_URL", "MAKEFLAGS", "MAKELEVEL"}


def run(*command: str, folder: Path) -> str:
    """Return what a command says in a folder, without the settings of this test run."""
    environment = {key: value for key, value in os.environ.items() if key not in OUTSIDE}
    environment["PIP_NO_INDEX"] = "1"
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an environment in which pip installed a command that tells its interpreter."""
    folder = tmp_path / NAME
    folder.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", ".venv", folder=folder)
    wheel = tmp_path / "tell-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tell.py", "import sys\ndef main(): print(sys.prefix)\n")
        facts = "tell-1.dist-info"
        archive.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: tell\nVersion: 1\n")
        archive.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{facts}/entry_points.txt", "[console_scripts]\ntell = tell:main\n")
        archive.writestr(f"{facts}/RECORD", "")
    pip = [sys.executable, "-m", "pip", "--python", ".venv/bin/python", "install", "-q"]
    run(*pip, str(wheel), folder=folder)
    return folder


def mend(folder: Path) -> str:
    script = str(ROOT / ".ci" / "move_environment.py")
    return run(".venv/bin/python", script, ".venv", folder=folder)


@pytest.mark.parametrize("name", ["plain", "other [old] it's (2)", "long" * 40])
def test_environment_that_was_moved_runs_its_commands_again(shop: Path, name: str):
    assert run(".venv/bin/tell", folder=shop) == f"{shop / '.venv'}\n"
    place = shop.rename(shop.with_name(name))
    with pytest.raises(AssertionError, match="not found"):
        run(".venv/bin/tell", folder=place)
    assert mend(place) == "1 scripts mended\n"
    assert run(".venv/bin/tell", folder=place) == f"{place / '.venv'}\n"
    activated = run("sh", "-c", ". .venv/bin/activate; echo $VIRTUAL_ENV; tell", folder=place)
    assert activated == f"{place / '.venv'}\n" * 2
    assert mend(place) == "0 scripts mended\n"


def test_copy_of_an_environment_leaves_the_first_one_alone(shop: Path):
    copy = Path(shutil.copytree(shop, shop.with_name("copy"), symlinks=True))
    assert run(".venv/bin/tell", folder=copy) == f"{shop / '.venv'}\n"
    mend(copy)
    assert run(".venv/bin/tell", folder=copy) == f"{copy / '.venv'}\n"
    assert run(".venv/bin/tell", folder=shop) == f"{shop / '.venv'}\n"


def test_dagster_home_is_made_in_a_folder_of_any_name(tmp_path: Path):
    folder = tmp_path / NAME
    (folder / "orchestration").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "orchestration" / "dagster.yaml", folder / "orchestration")
    run("make", "home", folder=folder)
    assert (folder / ".dagster" / "served" / "reports").readlink() == folder / "reports"
    assert (folder / ".dagster" / "dagster.yaml").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert {path.name for path in folder.iterdir()} == {
        "Makefile", "orchestration", "reports", ".dagster",
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's files outside git, with an environment that sees this one's packages."""
    folder = tmp_path / NAME
    ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local", "*.egg-info")
    for name in ("smar", "orchestration", "dagster_dvc", ".ci", ".dvc", "studies"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":  # a worktree's is a file
            shutil.copy(path, folder)
    run(sys.executable, "-m", "venv", "--without-pip", ".venv", folder=folder)
    packages = folder / ".venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "here.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


@pytest.mark.slow
def test_download_without_git_that_moves_and_becomes_a_clone(project: Path):
    assert "Installing" in run("make", "env", folder=project)
    assert "no_scm = true" in (project / ".dvc" / "config.local").read_text()
    assert "no_scm = true" in (project / "studies" / ".dvc" / "config.local").read_text()
    dvc = (".venv/bin/python", "-m", "dvc", "status", "--json")
    assert '"ingest"' in run(*dvc, folder=project)
    assert run("make", "env", folder=project) == ""
    place = project.rename(project.with_name("elsewhere [2]"))
    assert "Mending" in run("make", "env", folder=place)
    told = run(
        str(place / ".venv/bin/python"),
        "-c",
        "import smar; print(smar.__file__)",
        folder=place.parent,
    )
    assert told == f"{place / 'smar' / '__init__.py'}\n"
    assert run("make", "env", folder=place) == ""
    run("git", "init", "-q", folder=place)
    run("make", "env", folder=place)
    local = place / ".dvc" / "config.local"
    assert not local.exists() or "no_scm" not in local.read_text()
    told = run(".venv/bin/smar", "study", "prepare", "--help", folder=place)
    assert "usage: smar study prepare" in told
