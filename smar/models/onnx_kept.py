"""Graphs of query towers that are kept between runs, each under the name of its content.

    .smar/onnx/3f0c....onnx   weights, settings and tokenizer of a model, and how it was written

A graph is written by a process of its own (`onnx_making`), whole or not at all: the exporter takes
some seconds of a core and a lot of memory, which a service that answers meanwhile does not have.
The writer compares it with the model, and whoever loads it with what the model gave when it was
saved (`onnx.proven_queries`), so that no old graph answers.
"""

import fcntl
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from smar.artifacts import read_manifest
from smar.errors import ExportError
from smar.models.onnx import OPSET, OnnxQueries, import_runtime, proven_queries
from smar.models.saved import CONFIG, KIND, tokenizer_file

logger = logging.getLogger(__name__)

KEPT = 8
"""Graphs that are kept, those used last."""
_FORM = 1  # of the graph that is written; another one has other names
_OF_QUERIES = (CONFIG, "model.safetensors", tokenizer_file("query"))
_LOOK_S = 0.1


def graph_path(folder: Path, cache: Path) -> Path:
    """Return where the graph of a saved model is kept.

    Args:
        folder: The model's directory artefact; its content names the graph.
        cache: Folder of graphs, for example `.smar/onnx`.

    Raises:
        ArtifactError: If there is no model.
    """
    files = read_manifest(folder, KIND).files
    named = [f"{_FORM}/{OPSET}/{_runtime()}", *(files[name]["sha256"] for name in _OF_QUERIES)]
    return cache / f"{sha256('/'.join(named).encode()).hexdigest()[:32]}.onnx"


def kept_queries(folder: Path, path: Path, threads: int = 1) -> OnnxQueries | None:
    """Return a kept graph, None where none is there that gives what the model gave.

    Args:
        folder: The directory artefact of the model that it was written from.
        path: As `graph_path` gives it.
        threads: As for `OnnxQueries.load`.

    Raises:
        ArtifactError: If what is read of the model is missing or damaged.
        ExportError: If ONNX Runtime is missing.
    """
    import_runtime()
    if not path.is_file():
        return None
    try:
        queries = proven_queries(folder, path, threads)
    except (ExportError, OSError) as error:
        logger.warning("%s is not used: %s", path, error)
        return None
    with suppress(OSError):  # a folder that may only be read
        os.utime(path)  # it was used last
    return queries


def made_queries(
    folder: Path,
    path: Path,
    threads: int = 1,
    is_wanted: Callable[[], bool] = lambda: True,
) -> OnnxQueries | None:
    """Return the graph of a saved model, written where none is kept.

    Of several processes that want one graph, one writes it and the others wait.

    Args:
        folder: The model's directory artefact.
        path: As `graph_path` gives it.
        threads: As for `OnnxQueries.load`.
        is_wanted: Asked ten times a second; when it says no the writing is broken off.

    Returns:
        None if it was broken off.

    Raises:
        ExportError: As `write_query_graph`, or if the writing process dies.
    """
    with _held(path.parent, is_wanted):
        queries = kept_queries(folder, path, threads)
        if queries is None and is_wanted() and _written(folder, path, is_wanted):
            queries = kept_queries(folder, path, threads)
            if queries is None:
                raise ExportError(f"{path}: is no graph of {folder}. Serve this model with torch.")
        return queries


def _runtime() -> str:
    """Return the version of ONNX Runtime, by which a kept graph was compared with its model."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:  # whoever loads a graph says so
        return ""


def _written(folder: Path, path: Path, is_wanted: Callable[[], bool]) -> bool:
    """Have a graph written; False if that was broken off."""
    command = [sys.executable, "-m", "smar.models.onnx_making", str(folder), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(process.communicate()[1]), daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(_LOOK_S)
        if reader.is_alive() and not is_wanted():
            process.kill()  # nothing half-written has the graph's name
            reader.join()
            return False
    if process.returncode:
        lines = b"".join(said).decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"the process ended with {process.returncode}"
        raise ExportError(f"no graph of {folder} was written: {reason}")
    return True


@contextmanager
def _held(cache: Path, is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Keep other processes from writing the same; the system lets go when this one dies."""
    cache.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while is_wanted():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                threading.Event().wait(_LOOK_S)
        yield
    finally:
        os.close(descriptor)
