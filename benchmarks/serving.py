"""Searches a second over HTTP, beside the bare model and index in one process.

    python -m benchmarks.serving [--items 100000 --folder SHOP] [--workers 2] [--kind mixed]
    python -m benchmarks.serving --folder SHOP --workers 2 --under 50 --seconds 8
    python -m benchmarks.serving --folder SHOP --workers 2 --soak 600 --load 0.8

The service runs as people start it (`smar serve`, with its event log and ONNX Runtime), the load
comes from a process of its own over connections that stay open, and both take turns with the bare
library in this process: what the machine does beside it hits all alike. One client asks the bare
library behind a bare socket too, which is the least that a client of any service waits for.
Seconds of the processor are told as well, for they say the most on a machine that is busy. Then
searches come at a steady rate, whether others are answered or not: at a share of the highest rate
that was seen. Then releases are switched under load. `--under` looks for the highest steady rate at
which p99 is under so many milliseconds. `--soak` sends searches and clicks at a rate, or a share of
the highest one, and tells memory at the beginning and the end, and events that were acknowledged
beside those on the disk.

`--items` makes a shop (`benchmarks.serving_shop`), which `--folder` keeps for the next time;
without them the current release is served. `--share 0` serves a release of it without words. One
search in ten of the kind "mixed" has two filters
and counts two facets.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from benchmarks.serving_library import (
    BATCH,
    FACETS,
    FILTERS,
    HITS,
    MIXED,
    PLAIN,
    bare_figures,
    bare_library,
    requests_of,
)
from benchmarks.serving_process import cpu_s, generator, memory_mb, records, serve
from benchmarks.serving_shop import build_project, give_share
from benchmarks.serving_socket import behind_socket
from benchmarks.serving_switch import switch_under_load
from smar.service.retriever import Retriever

_STEADY = (0.5, 0.8)  # of the highest rate
_HALVES = 7  # to within one in 128 of what is answered at full load
_MANY = 128  # connections of shoppers who know of no other
_SETTINGS = {"per_client_s": 0, "access_log": False, "log_free_mb": 0}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="a made shop, or where to make one")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--share", type=float, help="of the words, in place of the release's own")
    parser.add_argument("--kind", choices=(PLAIN, MIXED), default=PLAIN)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--bare-threads", type=int, default=cores, help="of Faiss, bare (all cores)"
    )
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--switch", type=float, default=0.0, metavar="SECONDS", help="of load for the switch"
    )
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=0.0, help="of the soak, searches a second")
    parser.add_argument("--load", type=float, default=0.0, help="or a share of the highest rate")
    parser.add_argument(
        "--under", type=float, default=0.0, metavar="MS", help="of p99: which rate?"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "project"
        if not folder.exists():
            if options.items:
                build_project(options.root, folder, options.items)
            else:
                _copy(options.root, folder)
        if options.share is not None:
            give_share(folder, options.share)
        _write_paths(folder)
        (folder / "serve.yaml").write_text(json.dumps(_SETTINGS | {"workers": options.workers}))
        measure = _soak if options.soak else _highest_rate if options.under else _measure
        found = measure(folder, options)
        print(json.dumps(found, indent=2))


def _copy(source: Path, root: Path) -> None:
    """Write a project with the current release alone, in which releases may be switched."""
    root.mkdir(parents=True)
    shutil.copy(source / "params.yaml", root)
    queries = pd.read_parquet(source / "data/accepted/queries.parquet")["query"].tolist()[:2000]
    (root / "data").mkdir()
    (root / "data/images").symlink_to((source / "data/images").resolve())
    shutil.copytree(source / "releases", root / "releases", symlinks=True)
    (root / "queries.json").write_text(json.dumps(queries))


def _write_paths(root: Path) -> None:
    """Write what the load generator asks for."""
    texts = json.loads((root / "queries.json").read_text())
    plain = [
        f"/search?q={quote(text)}&limit={HITS}&client_id=c{number % 97}"
        for number, text in enumerate(texts)
    ]
    more = f"&filters={quote(json.dumps(FILTERS))}&facets={','.join(FACETS)}"
    mixed = [path + (more if n % 10 == 0 else "") for n, path in enumerate(plain)]
    for name, paths in ((PLAIN, plain), (MIXED, mixed)):
        (root / f"{name}.json").write_text(json.dumps(paths))


def _measure(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    shop = bare_library(root, options.bare_threads)
    before = records(root)
    server, port = serve(root)
    try:
        answered = generator(root, port, options.kind, 4, 1.0)["answered"]  # warm
        rounds = _rounds(root, shop, server.pid, port, options)
        memory = memory_mb(server.pid)
        highest = rounds[-1]["http_per_s"]
        steady = {
            share: generator(root, port, options.kind, _MANY, 2 * options.seconds, share * highest)
            for share in _STEADY
        }
        answered += sum(each["answered"] for each in [*rounds, *steady.values()])
        seconds = max(9.0, 3 * options.seconds, options.switch)
        switched = switch_under_load(root, port, options.kind, options.workers, seconds)
        answered += switched["answered"]
    finally:
        server.terminate()
        server.wait()
    return {
        "items": len(shop.items),
        "workers": options.workers,
        "bare_threads": options.bare_threads,
        "kind": options.kind,
        "word_share": shop.word_share,
        "index": shop.index.vectors.details["settings"],
        "medians": {k: round(statistics.median(r[k] for r in rounds), 3) for k in rounds[0]},
        "rounds": rounds,
        "steady": steady,
        "switched": switched,
        "memory_mb": memory,
        "answered": answered,
        "records_in_log": records(root) - before,
    }


def _rounds(
    root: Path, shop: Retriever, pid: int, port: int, options: argparse.Namespace
) -> list[dict[str, float]]:
    """Return what the library, the service and the library behind a bare socket did in turns."""
    kind, seconds, requests = options.kind, options.seconds, requests_of(root, options.kind)
    shop.answer_many(requests[:BATCH])
    rounds = []
    with behind_socket(root, options.bare_threads, kind) as bare_port:
        for _ in range(options.rounds):
            bare = bare_figures(shop, requests, seconds)
            cpu = cpu_s(pid)
            many = generator(root, port, kind, options.connections, seconds)
            spent = cpu_s(pid) - cpu
            single = generator(root, port, kind, 1, seconds)
            least = generator(root, bare_port, kind, 1, seconds)
            cpu_ms = 1e3 * spent / max(1, many["answered"])
            rounds.append(_figures(bare, many, single, least, cpu_ms))
    return rounds


def _soak(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a long time of searches and clicks did to memory, and what the log has of it."""
    before = records(root)
    server, port = serve(root)
    try:
        warm = generator(root, port, options.kind, options.connections, 20, options.rate, 5)
        rate = options.load * warm["per_s"] if options.load else options.rate
        begin = memory_mb(server.pid)
        values = _MANY if rate else options.connections, options.soak, rate, 5
        found = generator(root, port, options.kind, *values)
        end = memory_mb(server.pid)
    finally:
        server.terminate()
        server.wait()
    return found | {
        "rate": rate,
        "memory_mb": {"begin": begin, "end": end},
        "acknowledged": warm["answered"] + found["answered"],
        "records_in_log": records(root) - before,
    }


def _highest_rate(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the highest steady rate at which p99 stays under a number of milliseconds.

    It is looked for by halves, between none and what is answered at full load; each rate is kept
    for `--seconds`, and one at which a search is refused is too high.
    """
    server, port = serve(root)
    tried = []
    try:
        generator(root, port, options.kind, 4, 2.0)  # warm
        full = generator(root, port, options.kind, options.connections, options.seconds)
        low, high = 0.0, full["per_s"]
        for _ in range(_HALVES):
            rate = (low + high) / 2
            cpu = cpu_s(server.pid)
            seen = generator(root, port, options.kind, _MANY, options.seconds, rate)
            spent = cpu_s(server.pid) - cpu
            is_under = seen["p99_ms"] < options.under and not seen["errors"]
            low, high = (rate, high) if is_under else (low, rate)
            names = ("per_s", "p50_ms", "p99_ms", "errors", "load_cpu_share")
            of_cpu = {"cpu_ms": 1e3 * spent / max(1, seen["answered"])}
            tried.append({"rate": rate} | {name: seen[name] for name in names} | of_cpu)
    finally:
        server.terminate()
        server.wait()
    return {"under_ms": options.under, "highest": low, "full_load": full["per_s"], "tried": tried}


def _figures(
    bare: dict[str, float],
    many: dict[str, Any],
    single: dict[str, Any],
    least: dict[str, Any],
    cpu_ms: float,
) -> dict[str, float]:
    return {
        "bare_one_p50_ms": bare["one_p50_ms"],
        "bare_batch_per_s": bare["batch_per_s"],
        "bare_batch_cpu_ms": bare["batch_cpu_ms"],
        "http_per_s": many["per_s"],
        "http_p50_ms": many["p50_ms"],
        "http_p99_ms": many["p99_ms"],
        "load_cpu_share": many["load_cpu_share"],
        "http_cpu_ms": cpu_ms,
        "http_one_p50_ms": single["p50_ms"],
        "socket_one_p50_ms": least["p50_ms"],
        "answered": many["answered"] + single["answered"],
        "errors": many["errors"] + single["errors"],
        "ratio_per_s": many["per_s"] / bare["batch_per_s"],
        "ratio_one_p50": single["p50_ms"] / bare["one_p50_ms"],
        "ratio_socket_one_p50": least["p50_ms"] / bare["one_p50_ms"],
        "ratio_cpu": cpu_ms / bare["batch_cpu_ms"],
    }


if __name__ == "__main__":
    main()
