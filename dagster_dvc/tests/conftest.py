"""Small DVC repositories, and Dagster instances of their own."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import settings

from dagster_dvc.settings import TranslatorSettings
from dagster_dvc.tests.support import CODE, PIPELINE, Pipeline, run, write_pipeline
from dagster_dvc.translator import DvcTranslator

# The same examples every time, however slow the machine, so that a failure is of the change.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's python on the path, no telemetry, and no settings of the machine."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `git init` and `dvc init` leave; made once, copied often."""
    root = tmp_path_factory.mktemp("initialised")
    run(root, "git", "init", "-q")
    run(root, "dvc", "init", "-q")
    (root / ".dvcignore").write_text("__pycache__\n")
    return root


@pytest.fixture(scope="module")
def initialised_once(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository without stages that a module's tests share."""
    return Path(shutil.copytree(initialised, tmp_path_factory.mktemp("shared") / "repository"))


@pytest.fixture
def empty(initialised: Path, tmp_path: Path) -> Path:
    """A DVC repository without stages."""
    return Path(shutil.copytree(initialised, tmp_path / "repository"))


@pytest.fixture
def repository(empty: Path) -> Path:
    """Three stages in a row over one raw file."""
    (empty / "code").mkdir()
    for name, text in CODE.items():
        (empty / "code" / name).write_text(text)
    (empty / "raw.txt").write_text("1\n2\n")
    (empty / "params.yaml").write_text("scale: 10\nother: 1\n")
    write_pipeline(empty, PIPELINE)
    return empty


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that keeps what happens in it."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


@pytest.fixture
def translator() -> DvcTranslator:
    return DvcTranslator(TranslatorSettings(code=["code/*"]))


@pytest.fixture
def pipeline(repository: Path, instance: dg.DagsterInstance, translator: DvcTranslator) -> Pipeline:
    return Pipeline(repository, instance, translator)
