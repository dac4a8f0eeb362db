"""Holds the bridge against DVC over repositories: `python -m dagster_dvc.compare FOLDER`.

Nothing is fetched. For every checkout below the folder it prints repository, stages, definitions,
whether the graph is DVC's, whether what changed is what `dvc status` lists, and seconds; last what
was found of each kind. The exit code is 1 where one differs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dagster_dvc.assets import build_assets
from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource
from dagster_dvc.translator import DvcTranslator

_STATUS_S = 600
_COLUMNS = "{:<40} {:>7} {:>11} {:>6} {:>8} {:>8}  {}"


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
    """Yield the DVC repositories below a folder, itself included."""
    for path, folders, _ in os.walk(folder):
        if ".dvc" in folders:
            yield Path(path)
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
        found.note = f"refused: {str(error).splitlines()[-1].strip()}"
        found.is_wrong = _status(root) is not None
        return found
    except Exception:  # noqa: BLE001 - a table of what fails has to hold every failure
        found.note = f"failed: {traceback.format_exc().splitlines()[-1]}"
        found.is_wrong = True
        return found
    found.seconds = time.perf_counter() - start
    manifest = repository.manifest
    found.stages = len(manifest.stages)
    found.definitions = len(list(graph.get_all_asset_keys()))
    broken = sum(1 for stage in manifest.stages.values() if stage.problem)
    found.note = f"{broken} cannot run" if broken else ""
    own = {(stage.name, up) for stage in manifest.stages.values() for up in stage.upstream}
    differing = len(own ^ repository.reader.edges())
    found.graph = f"{differing} differ" if differing else "equal"
    listed = _status(root)
    if listed is not None:
        wrong = {change.stage for change in repository.changes()} ^ (listed & set(manifest.stages))
        found.changed = f"{len(wrong)} differ" if wrong else "equal"
    found.is_wrong = "differ" in found.graph or "differ" in found.changed
    return found


def _status(root: Path) -> set[str] | None:
    """Return what `dvc status` lists, None if DVC refuses."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    result = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, timeout=_STATUS_S
    )
    return set(json.loads(result.stdout)) if result.returncode == 0 else None


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 if the bridge differs from DVC somewhere."""
    parser = argparse.ArgumentParser(prog="python -m dagster_dvc.compare", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds checkouts, at any depth")
    folder = parser.parse_args(arguments).folder.resolve()
    say = sys.stdout.write
    heads = ("repository", "stages", "definitions", "graph", "changed", "seconds", "")
    say(_COLUMNS.format(*heads) + "\n")
    all_found = []
    for root in repositories(folder):
        found = compare(root, str(root.relative_to(folder)))
        all_found.append(found)
        row = (found.name[-40:], found.stages, found.definitions, found.graph, found.changed)
        say(_COLUMNS.format(*row, f"{found.seconds:.2f}", found.note).rstrip() + "\n")
        sys.stdout.flush()
    refused = sum(found.note.startswith("refused") for found in all_found)
    wrong = sum(found.is_wrong for found in all_found)
    say(f"{len(all_found)} repositories, {refused} that DVC refuses too, {wrong} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
