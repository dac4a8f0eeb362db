"""What the tests share: a small DVC repository of shell commands, and Dagster's view of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from dagster_dvc.assets import RETRIES, build_assets
from dagster_dvc.component import DvcProjectComponent
from dagster_dvc.names import encode
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator

RAW = encode("raw.txt")  # its key: older Dagster takes no dots
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


def component(root: Path, **attributes: Any) -> DvcProjectComponent:
    """Return the component that a defs.yaml with these attributes stands for."""
    return DvcProjectComponent.from_attributes_dict(attributes={"root": str(root), **attributes})


class Pipeline:
    """A repository as Dagster sees it; read anew whenever it is used."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, translator: DvcTranslator) -> None:
        self.root, self.instance, self.translator = root, instance, translator
        self.retries = RETRIES

    def definitions(self) -> dg.Definitions:
        assets = build_assets(Repository(self.root), self.translator, retries=self.retries)
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
        return set(json.loads(run(self.root, "dvc", "status", "--json")))
