"""A release as a model version of MLflow, beside its git tags `smar@vN` and `smar@vN.0.0` (GTO).

MLflow keeps what people compare and decide by: figures, parameters, the promotion's page, a model.
Index and items stay where DVC has them; the version's tags say which release that is. Where MLflow
keeps its versions is for MLflow's own settings to say (`MLFLOW_TRACKING_URI`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smar.artifacts import read_manifest
from smar.errors import ExportError, ReleaseError
from smar.service.registry import AUTO, KIND, current_version, find_release

NAME = "smar"
ALIAS = "current"
_RELEASE = "release"
_WHOLE = ("decision", "model")  # folders that are kept
_FILES = ("manifest.json", "params.yaml", "dvc.lock")
_AT_ONCE = 500  # metrics of one call
_ODD = re.compile(r"[^\w\-. :/]")  # what a metric's name may not have


def register_release(root: Path, release: str = AUTO, name: str = NAME) -> str:
    """Make a release a model version if it is none yet; return what was done, in words.

    The alias `current` follows the release that is current. Asked again, nothing is made twice.

    Args:
        root: The project's root folder.
        release: A version, or "auto" for the current one.
        name: Of the registered model.

    Raises:
        ExportError: If MLflow is not installed, or refuses.
        ReleaseError: If there is no such release.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ExportError("mlflow is not installed: `pip install mlflow` brings it.") from error
    folder = find_release(root, release)
    if folder is None:
        raise ReleaseError("there is no release to register. Run `dvc repro` to make one.")
    folder = folder.resolve()
    client = MlflowClient()
    try:
        found, is_new = _model_version(client, folder, name)
        if found.tags[_RELEASE] == current_version(root):
            client.set_registered_model_alias(name, ALIAS, found.version)
    except (MlflowException, OSError) as error:
        raise ExportError(
            f"MLflow at {client.tracking_uri} refuses ({error}). Set MLFLOW_TRACKING_URI to yours."
        ) from error
    state = "registered" if is_new else "was registered before"
    return f"{name} {found.tags[_RELEASE]}: {state} as version {found.version}, run {found.run_id}"


def figures(content: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of nested figures by a name that MLflow takes ("test/recall_50")."""
    for key, value in content.items():
        name = f"{path}/{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from figures(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield _ODD.sub("_", name), float(value)


def _model_version(client: Any, folder: Path, name: str) -> tuple[Any, bool]:
    """Return a release's model version, and whether it was made now."""
    from mlflow.exceptions import MlflowException

    details = read_manifest(folder, KIND).details
    version, identity = str(details["version"]), json.dumps(details["identity"], sort_keys=True)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description="Text search over items with pictures.")
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.tags.get(_RELEASE) == version and known.tags.get("identity") == identity:
            return known, False
    run_id = _run(client, folder, version, name)
    tags = {_RELEASE: version, "identity": identity, "git_tag": f"smar@{version}"}
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    return client.create_model_version(name, source, run_id, tags), True


def _run(client: Any, folder: Path, version: str, name: str) -> str:
    """Return the id of a finished run that holds a release's figures and files."""
    from mlflow.entities import Metric

    manifest = read_manifest(folder, KIND)
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    tags = {_RELEASE: version, "mlflow.source.git.commit": manifest.git_commit}
    run_id = str(client.create_run(experiment_id, tags=tags, run_name=version).info.run_id)
    kept: dict[str, float] = {}
    for file in sorted((folder / "metrics").glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        kept |= {f"{file.stem}/{key}": value for key, value in figures(content)}
    metrics = [Metric(key[:250], value, 0, 0) for key, value in kept.items()]
    for start in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _AT_ONCE])
    for part in _WHOLE:
        client.log_artifacts(run_id, str(folder / part), part)
    for file in (folder / file for file in _FILES):
        if file.is_file():
            client.log_artifact(run_id, str(file))
    client.set_terminated(run_id)
    return run_id
