"""A release in MLflow: registered once, with its figures and its page; the alias follows."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from smar.errors import ExportError
from smar.export.mlflow_registry import figures, register_release

LOOK = """
import json
from mlflow import MlflowClient
client = MlflowClient()
version = client.get_model_version_by_alias("shop", "current")
run = client.get_run(version.run_id)
paths = [file.path for part in ("", "decision", "model") for file in client.list_artifacts(run.info.run_id, part)]
print(json.dumps([version.tags, run.data.metrics, paths, len(client.search_model_versions("name = 'shop'"))]))
"""  # noqa: E501


def test_figures_are_numbers_by_names_that_mlflow_takes():
    content = {"test": {"recall@50": 0.9, "name": "x", "ok": True, "slices": {"a b": {"n": 3}}}}
    assert dict(figures(content)) == {"test/recall_50": 0.9, "test/slices/a b/n": 3.0}


def test_missing_mlflow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ExportError, match="mlflow is not installed"):
        register_release(tmp_path)


@pytest.mark.whole
def test_release_is_registered_once_with_figures_and_page(small_project: Path, tmp_path: Path):
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed: pip install mlflow")
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def run(*command: str) -> str:
        return subprocess.run(
            [sys.executable, "-W", "ignore", *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    command = ("-m", "smar", "register", "--name", "shop", "--root", str(small_project))
    assert "shop v1: registered as version 1" in run(*command)
    assert "was registered before as version 1" in run(*command)
    tags, metrics, paths, number = json.loads(run("-c", LOOK).splitlines()[-1])
    assert (tags["release"], tags["git_tag"], number) == ("v1", "smar@v1", 1)
    stored = json.loads((small_project / "metrics" / "evaluate.json").read_text())["test"]
    assert metrics["evaluate/test/hybrid/recall_50"] == pytest.approx(stored["recall@50"], abs=1e-6)
    assert {"decision/index.html", "model/model.safetensors", "params.yaml"} <= set(paths)
