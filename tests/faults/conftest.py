"""What the fault tests share: processes to kill, and a way to compare whole projects."""

import hashlib
import importlib
import json
import multiprocessing
import re
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
# Evidently's page has random element ids, as have Data Docs, whose paths hold times; latency and
# training speed are times; embed counts what it took over from a run that was killed; the history
# and the checkpoints are about runs.
NOT_COMPARED = re.compile(
    r"outcomes/embed\.json|releases/history\.jsonl"
    r"|\.smar/|\.lock"
)
# Dates and measured times inside files that are compared otherwise, and digests of those files.
TIMES = re.compile(
    r'"(created|made)": "[^"]*"|"(seconds|pairs_per_s|stage_s|(old_)?latency_ms)": [\d.]+'
)


LIBRARIES = [
    "pipeline",
    "great_expectations",
    "smar.evaluation.report",
    "smar.monitoring.drift",
    "smar.monitoring.evidently_metric",
    "smar.release.promotion",
    "smar.train.loop",
    "smar.validation.report",
]


@pytest.fixture(scope="session")
def pipeline() -> Iterator[ModuleType]:
    sys.path.insert(0, str(HERE))
    yield importlib.import_module("pipeline")
    sys.path.remove(str(HERE))


@pytest.fixture(scope="session")
def start(pipeline: ModuleType) -> Callable[[Path], BaseProcess]:
    """Return what starts the pipeline in a process of its own.

    It is forked from a server that has imported the libraries and done nothing else, so that a
    moment drawn at random falls into a stage and not into an import.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    # The first process waits for the imports; they are no part of a run's length.
    first = context.Process(target=pipeline.ready)
    first.start()
    first.join()

    def start_pipeline(root: Path) -> BaseProcess:
        process = context.Process(target=pipeline.run, args=(root, []))
        process.start()
        return process

    return start_pipeline


def fingerprint(root: Path) -> dict[str, str]:
    """Return a digest of every artefact of a project, by path."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and not NOT_COMPARED.search(name):
            content = path.read_bytes()
            if re.search(r"release|promote|reports/(drift|validation)/manifest", name):
                content = _without_times(path, content)
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _without_times(path: Path, content: bytes) -> bytes:
    if path.name == "manifest.json":
        manifest = json.loads(content)
        # The files themselves are compared one by one.
        for key in ("files", "seal"):
            manifest.pop(key)
        content = json.dumps(manifest, sort_keys=True).encode()
    if path.suffix in {".json", ".html"}:
        content = TIMES.sub("", content.decode()).encode()
    return content


@pytest.fixture(scope="session")
def fingerprint_of() -> Callable[[Path], dict[str, str]]:
    return fingerprint
