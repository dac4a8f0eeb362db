"""Holds the bridge against DVC over repositories: `python -m dagster_dvc.compare FOLDER`.

Nothing is fetched. For every checkout below the folder it prints repository, stages, definitions,
whether the graph is DVC's, whether what changed is what `dvc status` lists, and seconds; last what
was found of each kind. The exit code is 1 where one differs. A checkout has a process of its own
and a limit of time: whatever it holds, it gets a line.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_dvc.assets import build_assets
from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator

_LIMIT_S = 600.0
_COLUMNS = "{:<40} {:>7} {:>11} {:>9} {:>9} {:>8}  {}"


@dataclass(kw_only=True)
class Compared:
    """What was found of one repository.

    Args:
        name: Path below the folder.
        stages: How many stages there are.
        definitions: How many assets they and the raw inputs became.
        graph: "equal", or in how many edges the graph differs from DVC's.
        changed: "equal", or in how many stages what changed differs from `dvc status`.
        seconds: Until the definitions stood.
        note: What DVC or the bridge refuses, "" if nothing.
        is_wrong: Whether the bridge differs from DVC, or fails where DVC does not.
    """

    name: str
    stages: int = 0
    definitions: int = 0
    graph: str = "-"
    changed: str = "-"
    seconds: float = 0.0
    note: str = ""
    is_wrong: bool = False


def repositories(folder: Path) -> Iterator[Path]:
    """Yield the DVC repositories below a folder, itself included.

    A folder with a dvc.yaml that lies in none of them is one that was not set up, and counts.
    """
    found: list[Path] = []
    for path, folders, files in os.walk(folder):
        place = Path(path)
        is_below = any(place.is_relative_to(above) for above in found)
        if ".dvc" in folders or ("dvc.yaml" in files and not is_below):
            found.append(place)
            yield place
        folders[:] = sorted(name for name in folders if name not in {".git", ".dvc", ".venv"})


def compare(root: Path, name: str) -> Compared:
    """Return how the bridge stands against DVC in one repository."""
    found = Compared(name=name)
    start = time.perf_counter()
    try:
        repository, translator = Repository(root), DvcTranslator()
        assets = build_assets(repository, translator)
        resources = {"dvc": DvcResource(root=str(root))}
        graph = dg.Definitions(assets=assets, resources=resources).resolve_asset_graph()
    except DvcBridgeError as error:
        found.seconds = time.perf_counter() - start
        found.note = f"refused: {_short(error, root)}"
        found.is_wrong = not _dvc(root, "dag").returncode  # `dvc status` looks at no graph
        return found
    except Exception as error:  # noqa: BLE001 - a table of what fails has to hold every failure
        found.seconds = time.perf_counter() - start
        found.note = "failed: " + "".join(traceback.format_exception_only(error)).strip()
        found.is_wrong = True
        return found
    found.seconds = time.perf_counter() - start
    manifest = repository.manifest
    found.stages = len(manifest.stages)
    found.definitions = len(list(graph.get_all_asset_keys()))
    broken = sum(1 for stage in manifest.stages.values() if stage.problem)
    notes = [f"{broken} cannot run"] if broken else []
    own = {(stage.name, up) for stage in manifest.stages.values() for up in stage.upstream}
    differing = len(own ^ repository.reader.edges())
    found.graph = f"{differing} differ" if differing else "equal"
    listed, why = _status(root)
    if listed is not None:
        wrong = {change.stage for change in repository.changes()} ^ (listed & set(manifest.stages))
        found.changed = f"{len(wrong)} differ" if wrong else "equal"
    else:
        notes.append(f"`dvc status`: {why}")
    found.note = "; ".join(notes)
    found.is_wrong = "differ" in found.graph or "differ" in found.changed
    return found


def _short(error: DvcBridgeError, root: Path) -> str:
    """Return the first problem of a message, and how many more there are."""
    headline, *problems = str(error).splitlines()
    first = problems[0].strip().removeprefix("- ") if problems else headline
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return first.replace(f"{root}/", "") + more


def _status(root: Path) -> tuple[set[str] | None, str]:
    """Return what `dvc status` lists, None if DVC refuses, and its reason."""
    result = _dvc(root, "status", "--json")
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        return None, said[0].removeprefix("ERROR: ") if said else f"ended with {result.returncode}"
    return set(json.loads(result.stdout)), ""


def _dvc(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def compare_apart(root: Path, name: str, limit_s: float = _LIMIT_S) -> Compared:
    """Return what `compare` does, from a process that can neither end this one nor hold it up.

    Args:
        root: Root folder of the repository.
        name: What it is called in the table.
        limit_s: Seconds after which it is given up.
    """
    # Elsewhere system libraries do not bear a fork.
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    end, own = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(root, name, own))
    start = time.perf_counter()
    process.start()
    own.close()
    try:
        found = end.recv() if end.poll(limit_s) else None
        why = f"gave up after {limit_s:g} s"
    except EOFError:
        process.join()
        found, why = None, f"failed: its process ended with {process.exitcode}"
    if found is None:
        _end(process)
        seconds = time.perf_counter() - start
        return Compared(name=name, note=why, seconds=seconds, is_wrong=True)
    process.join()
    return Compared(**found)


def _tell(root: Path, name: str, end: Connection) -> None:
    os.setpgid(0, 0)
    with Path(os.devnull).open("w") as nowhere:  # what DVC says beside its errors
        os.dup2(nowhere.fileno(), 2)
    end.send(vars(compare(root, name)))


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """Kill a process with all that it started."""
    try:
        os.killpg(process.pid or 0, signal.SIGKILL)
    except ProcessLookupError:  # it leads no group yet, or is gone
        process.kill()
    process.join()


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 if the bridge differs from DVC somewhere."""
    parser = argparse.ArgumentParser(prog="python -m dagster_dvc.compare", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds checkouts, at any depth")
    parser.add_argument("--limit", type=float, default=_LIMIT_S, help="seconds for a checkout")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    say = sys.stdout.write
    heads = ("repository", "stages", "definitions", "graph", "changed", "seconds", "")
    say(_COLUMNS.format(*heads).rstrip() + "\n")
    all_found = []
    for root in repositories(folder):
        sys.stdout.flush()
        found = compare_apart(root, str(root.relative_to(folder)), options.limit)
        all_found.append(found)
        row = (found.name[-40:], found.stages, found.definitions, found.graph, found.changed)
        say(_COLUMNS.format(*row, f"{found.seconds:.2f}", found.note).rstrip() + "\n")
    refused = sum(found.note.startswith("refused") for found in all_found)
    wrong = sum(found.is_wrong for found in all_found)
    say(f"{len(all_found)} repositories, {refused} that DVC refuses too, {wrong} wrong\n")
    sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
