"""A service and the load generator, each in processes of its own, for `benchmarks.serving`."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from smar.service.finding import ONNX


def records(root: Path) -> int:
    """Return the records of closed event files, wherever the service puts them."""
    files = [*root.glob("data/raw/ubi/*.ndjson"), *root.glob(".smar/ubi/*.ndjson")]
    return sum(file.read_bytes().count(b"\n") for file in files)


def _processes(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def memory_mb(pid: int) -> dict[str, float]:
    """Return what the processes of a service have: of their own, and their share of the rest."""
    infos = [each.memory_full_info() for each in _processes(pid)]
    return {
        "processes": len(infos),
        "pss": round(sum(info.pss for info in infos) / 1e6),
        "rss": round(sum(info.rss for info in infos) / 1e6),
    }


def cpu_s(pid: int) -> float:
    """Return the seconds of the processor that the processes of a service have had."""
    times = [each.cpu_times() for each in _processes(pid)]
    return sum(each.user + each.system for each in times)


def serve(root: Path) -> tuple[subprocess.Popen[str], int]:
    """Start the service, and return it with its port once ONNX Runtime encodes its queries."""
    command = [sys.executable, "-m", "smar", "serve", "--root", str(root), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None  # noqa: S101 - for the types
    port = int(server.stdout.readline().split()[0].rpartition(":")[2])
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
            if json.load(response)["encoder"] == ONNX:
                break
        time.sleep(0.5)
    return server, port


def generator(root: Path, port: int, kind: str, *values: float) -> dict[str, Any]:
    """Return what the load generator found, in a process of its own."""
    out, _ = start_load(root, port, kind, *values).communicate()
    return json.loads(out.splitlines()[-1])


def start_load(root: Path, port: int, kind: str, *values: float) -> subprocess.Popen[str]:
    given = [str(port), str(root / f"{kind}.json"), *map(str, values)]
    command = [sys.executable, "-m", "benchmarks.serving_load", *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
