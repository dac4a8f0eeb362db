"""Searches a second over HTTP, beside the bare model and index in one process.

    python -m benchmarks.serving [--root FOLDER] [--seconds 5] [--rounds 3]

The service runs as people start it (`smar serve`, with its event log), the load comes from a
process of its own over connections that stay open, and both take turns with the bare library in
this process: what the machine does beside it hits all alike. Seconds of the processor are told too,
for they say the most on a machine that is busy. Then releases are switched under load.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from smar.artifacts import read_manifest
from smar.service import registry
from smar.service.http.log_folder import log_folder
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

_BATCH = 32
_HITS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--load", metavar="PORT", type=int, help="be the load generator")
    options = parser.parse_args()
    texts = _queries(options.root)
    with tempfile.TemporaryDirectory() as folder:
        root = _project(options.root, Path(folder))
        print(json.dumps(_measure(root, texts, options), indent=2))


def _queries(root: Path) -> list[str]:
    """Return the queries of the log, as often as it has them no more."""
    return pd.read_parquet(root / "data/accepted/queries.parquet")["query"].tolist()[:2000]


def _project(source: Path, folder: Path) -> Path:
    """Return a project with the current release alone, in which releases may be switched."""
    root = folder / "project"
    root.mkdir()
    shutil.copy(source / "params.yaml", root)
    (root / "data/accepted").mkdir(parents=True)
    shutil.copy(source / "data/accepted/queries.parquet", root / "data/accepted")
    (root / "data/images").symlink_to((source / "data/images").resolve())
    shutil.copytree(source / "releases", root / "releases", symlinks=True)
    settings = {"per_client_s": 0, "access_log": False, "log_free_mb": 0}
    (root / "queries.json").write_text(json.dumps(_queries(source)))
    (root / "serve.yaml").write_text(json.dumps(settings))
    return root


def _measure(root: Path, texts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    shop = Retriever.load(root)
    shop.answer_many([SearchRequest(query=text) for text in texts[:_BATCH]])
    server, port = _serve(root)
    rounds: list[dict[str, float]] = []
    answered = 0
    try:
        answered += _generator(root, port, 4, 1.0)["answered"]  # warm
        for _ in range(options.rounds):
            bare = _bare(shop, texts, options.seconds)
            before = _cpu_s(server.pid)
            many = _generator(root, port, options.connections, options.seconds)
            spent = _cpu_s(server.pid) - before
            single = _generator(root, port, 1, options.seconds)
            answered += many["answered"] + single["answered"]
            rounds.append(_figures(bare, many, single, 1e3 * spent / many["answered"]))
        switched = _switch_under_load(root, port, options)
        answered += switched["answered"]
    finally:
        server.terminate()
        server.wait()
    files = log_folder(root)[0].glob("*")
    records = sum(len(file.read_bytes().splitlines()) for file in files)
    return {
        "items": len(shop.items),
        "word_share": shop.word_share,
        "medians": {k: round(statistics.median(r[k] for r in rounds), 3) for k in rounds[0]},
        "rounds": rounds,
        "switched": switched,
        "answered": answered,
        "records_in_log": records,
    }


def _figures(
    bare: dict[str, float], many: dict[str, Any], single: dict[str, Any], cpu_ms: float
) -> dict[str, float]:
    return {
        "bare_one_p50_ms": bare["one_p50_ms"],
        "bare_batch_per_s": bare["batch_per_s"],
        "bare_batch_cpu_ms": bare["batch_cpu_ms"],
        "http_per_s": many["per_s"],
        "http_p50_ms": many["p50_ms"],
        "http_p99_ms": many["p99_ms"],
        "http_cpu_ms": cpu_ms,
        "http_one_p50_ms": single["p50_ms"],
        "errors": many["errors"] + single["errors"],
        "ratio_per_s": many["per_s"] / bare["batch_per_s"],
        "ratio_one_p50": single["p50_ms"] / bare["one_p50_ms"],
        "ratio_cpu": cpu_ms / bare["batch_cpu_ms"],
    }


def _cpu_s(pid: int) -> float:
    """Return the seconds of the processor that a process has had, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(root: Path) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "smar", "serve", "--root", str(root), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None  # noqa: S101 - for the types
    line = server.stdout.readline()
    return server, int(line.split()[0].rpartition(":")[2])


def _bare(shop: Retriever, texts: list[str], seconds: float) -> dict[str, float]:
    """Return how fast the library answers: one by one, and in batches as the service forms them."""
    spent, number = [], 0
    until = time.perf_counter() + seconds / 2
    while time.perf_counter() < until:
        start = time.perf_counter()
        shop.answer(SearchRequest(query=texts[number % len(texts)], limit=_HITS))
        spent.append(time.perf_counter() - start)
        number += 1
    cpu, start, done = time.process_time(), time.perf_counter(), 0
    while time.perf_counter() - start < seconds / 2:
        some = [texts[(done + place) % len(texts)] for place in range(_BATCH)]
        shop.answer_many([SearchRequest(query=text, limit=_HITS) for text in some])
        done += _BATCH
    return {
        "one_p50_ms": 1e3 * statistics.median(spent),
        "batch_per_s": done / (time.perf_counter() - start),
        "batch_cpu_ms": 1e3 * (time.process_time() - cpu) / done,
    }


def _generator(root: Path, port: int, connections: int, seconds: float) -> dict[str, Any]:
    """Return what the load generator found, in a process of its own."""
    out, _ = _start_load(root, port, connections, seconds).communicate()
    return json.loads(out.splitlines()[-1])


def _start_load(root: Path, port: int, connections: int, seconds: float) -> subprocess.Popen[str]:
    values = [str(port), str(root / "queries.json"), str(connections), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.serving_load", *values]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _switch_under_load(root: Path, port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return what shoppers saw while a release was promoted and rolled back."""
    seconds = max(9.0, 3 * options.seconds)
    load = _start_load(root, port, 8, seconds)
    assert load.stdout is not None  # noqa: S101 - for the types
    load.stdout.readline()  # it has begun
    now = registry.current_version(root)
    source = root / "releases" / now

    def fill(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink()

    time.sleep(seconds / 9)
    registry.publish(root, fill, read_manifest(source, registry.KIND), expected=now)
    time.sleep(seconds / 2)
    registry.rollback(root)
    return json.loads(load.communicate()[0].splitlines()[-1])


if __name__ == "__main__":
    main()
