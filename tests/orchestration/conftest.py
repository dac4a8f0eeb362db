"""Small DVC repositories of shell commands, and Dagster instances of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration.dvc_bridge.assets import RETRIES, build_assets
from orchestration.dvc_bridge.loading import load_manifest
from orchestration.dvc_bridge.resource import DvcResource
from orchestration.dvc_bridge.translator import DvcTranslator, TranslatorSettings

PIPELINE: dict[str, Any] = {
    "stages": {
        "prepare": {
            "desc": "Numbers, one a line.",
            "cmd": "python code/prepare.py",
            "deps": ["raw.txt", "code/prepare.py"],
            "outs": ["numbers.txt"],
        },
        "total": {
            "desc": "Their sum.",
            "cmd": "python code/total.py",
            "deps": ["numbers.txt", "code/total.py", "code/scale.py"],
            "params": ["scale"],
            "outs": ["total.txt"],
            "metrics": [{"metrics.json": {"cache": False}}],
        },
        "page": {
            "cmd": "mkdir -p site && cp total.txt site/index.html",
            "deps": ["total.txt"],
            "outs": ["site"],
        },
    }
}
CODE = {
    "prepare.py": "open('numbers.txt', 'w').write(open('raw.txt').read().strip() + '\\n')\n",
    "scale.py": "def scaled(value, scale):\n    return value * scale\n",
    "total.py": (
        "import json, yaml\n"
        "from scale import scaled\n"
        "value = sum(int(line) for line in open('numbers.txt'))\n"
        "value = scaled(value, yaml.safe_load(open('params.yaml'))['scale'])\n"
        "open('total.txt', 'w').write(f'{value}\\n')\n"
        "json.dump({'total': value}, open('metrics.json', 'w'))\n"
        "print(f'the total is {value}')\n"
    ),
}


def run(root: Path, *command: str, timeout: float = 120) -> str:
    """Return what a command prints; it has to succeed."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False,
        timeout=timeout,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def write_pipeline(root: Path, pipeline: dict[str, Any]) -> None:
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))


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


class Pipeline:
    """A repository as Dagster sees it; read anew whenever it is used."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, translator: DvcTranslator) -> None:
        self.root, self.instance, self.translator = root, instance, translator
        self.retries = RETRIES

    def definitions(self) -> dg.Definitions:
        assets = build_assets(load_manifest(self.root), self.translator, retries=self.retries)
        return dg.Definitions(
            assets=assets, resources={"dvc": DvcResource(root=str(self.root), grace_s=2)}
        )

    def materialize(self, *keys: str, is_expected_to_work: bool = True) -> Any:
        selection = dg.AssetSelection.assets(*keys) if keys else dg.AssetSelection.all()
        definitions = dg.Definitions.merge(
            self.definitions(), dg.Definitions(jobs=[dg.define_asset_job("job", selection)])
        )
        result = definitions.resolve_job_def("job").execute_in_process(
            instance=self.instance, raise_on_error=is_expected_to_work
        )
        assert result.success == is_expected_to_work
        return result

    def unsynced(self) -> set[str]:
        """Return the assets that Dagster shows as missing or unsynced."""
        from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
        from dagster._core.loader import LoadingContextForTest

        graph = self.definitions().resolve_asset_graph()
        resolver = CachingStaleStatusResolver(
            self.instance, graph, LoadingContextForTest(self.instance)
        )
        return {
            key.to_user_string()
            for key in graph.materializable_asset_keys
            if resolver.get_status(key) != StaleStatus.FRESH
        }

    def changed_in_dvc(self) -> set[str]:
        """Return the stages that `dvc status` lists."""
        import json

        return set(json.loads(run(self.root, "dvc", "status", "--json")))


@pytest.fixture
def pipeline(repository: Path, instance: dg.DagsterInstance, translator: DvcTranslator) -> Pipeline:
    return Pipeline(repository, instance, translator)
