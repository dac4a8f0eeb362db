"""What the bridge costs over DVC, on generated repositories.

    python dagster_dvc/benchmarks/speed.py        definitions of 200, 1,000 and 4,000 stages
    python dagster_dvc/benchmarks/speed.py --runs --stages 200      runs, all changed and none

Definitions: a process that imports the bridge and builds everything that Dagster loads, against the
process `dvc stage list --all`, in turns; medians of seconds of processor time and by the clock. The
rule: `ratio` is process against process, from start to end. Of that `import dagster` is what every
code location does, with a bridge or without, and `dvc stage list` does not; it is measured by
itself. Modules are compiled before, for all three, as after an installation.

Runs: `dagster asset materialize --select '*'` in a process of its own, over the same commands run
bare, one after the other.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROWS = 20  # stages of a repository: so many rows side by side, each stage reads the one before
DEFINITIONS = """
from pathlib import Path
import dagster as dg
from dagster_dvc import DvcProjectComponent

@dg.definitions
def defs():
    return DvcProjectComponent(root=".").definitions(Path.cwd())
"""
BUILD = (
    "from pathlib import Path\nfrom dagster_dvc import DvcProjectComponent\n"
    "DvcProjectComponent(root='.').definitions(Path.cwd()).get_repository_def()\n"
)
DVC = [sys.executable, "-m", "dvc"]
TARGET_RATIO, TARGET_IDLE_S, TARGET_WORK_S = 1.5, 0.2, 1.0


class Cost(NamedTuple):
    """Seconds by the clock, and seconds of processor time of everything that was started."""

    clock: float
    processor: float


def generate(root: Path, stages: int) -> list[str]:
    """Write a repository of copies, rows of them side by side; return the bare commands."""
    root.mkdir(parents=True)
    for command in (["git", "init", "-q"], [*DVC, "init", "-q"]):
        subprocess.run(command, cwd=root, check=True, env=environment(root))
    rows = min(ROWS, stages)
    content, commands = {}, []
    for number in range(stages):
        before = f"in/{number % rows}" if number < rows else f"out/{number - rows}"
        commands.append(f"cp {before} out/{number}")
        content[f"s{number}"] = {
            "cmd": commands[-1],
            "deps": [before, "code.py"],
            "params": [f"p{number % rows}"],
            "outs": [f"out/{number}"],
        }
    for folder in ("in", "out"):
        (root / folder).mkdir()
    for row in range(rows):
        (root / "in" / str(row)).write_text(str(row))
    (root / "code.py").write_text("")
    (root / "defs.py").write_text(DEFINITIONS)
    (root / "params.yaml").write_text("".join(f"p{row}: 1\n" for row in range(rows)))
    (root / "dvc.yaml").write_text(json.dumps({"stages": content}, indent=1))  # JSON is YAML
    return commands


def environment(home: Path) -> dict[str, str]:
    """Return the environment of what is measured: no telemetry, an instance of its own."""
    package = Path(__file__).resolve().parents[2]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONWARNINGS": "ignore",
    }


def timed(command: list[str], root: Path) -> Cost:
    """Return what a command costs; it has to succeed."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stdout[-4000:]}{result.stderr[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - start, spent)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def definitions(sizes: list[int], repeats: int) -> None:
    """Print what definitions cost against `dvc stage list`."""
    head = f"{'stages':>7}{'dvc stage list':>20}{'definitions':>20}{'import dagster':>20}"
    print(f"{head}{'ratio':>8}   (processor s, clock s)")
    for stages in sizes:
        with TemporaryDirectory() as folder:
            root = Path(folder) / "repository"
            generate(root, stages)
            kinds = {
                "list": [*DVC, "stage", "list", "--all"],
                "build": [sys.executable, "-c", BUILD],
                "import": [sys.executable, "-c", "import dagster"],
            }
            for command in kinds.values():
                timed(command, root)
            costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
            for _ in range(repeats):
                for kind, command in kinds.items():
                    costs[kind].append(timed(command, root))
            middle = {kind: median(found) for kind, found in costs.items()}
        own = middle["build"].processor
        base = middle["list"].processor
        shown = "".join(f"{c.processor:>13.2f}{c.clock:>7.2f}" for c in middle.values())
        print(f"{stages:>7}{shown}{own / base:>8.2f}{met(own / base, TARGET_RATIO)}", flush=True)


def met(value: float, target: float) -> str:
    """Return whether a target is met, in words."""
    return f"   target {target:g}: {'met' if value <= target else 'missed'}"


def runs(stages: int) -> None:
    """Print what runs cost over the bare commands."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "repository"
        commands = generate(root, stages)
        bare = median([timed(["sh", "-ec", "\n".join(commands)], root) for _ in range(3)])
        run = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*"]
        run += ["-f", "defs.py"]
        work = timed(run, root)
        idle = timed(run, root)
        repro = timed([*DVC, "repro", "-q"], root)
    print(f"{'':<34}{'clock s':>9}{'processor s':>13}{'a stage over bare, clock s':>28}")
    print(f"{f'bare commands, {stages} stages':<34}{bare.clock:>9.2f}{bare.processor:>13.2f}")
    print(f"{'dvc repro, none changed':<34}{repro.clock:>9.2f}{repro.processor:>13.2f}")
    for name, cost, target in (
        ("run, all changed", work, TARGET_WORK_S),
        ("run, none changed", idle, TARGET_IDLE_S),
    ):
        over = (cost.clock - (bare.clock if cost is work else 0)) / stages
        line = f"{name:<34}{cost.clock:>9.2f}{cost.processor:>13.2f}{over:>28.3f}"
        print(line + met(over, target), flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, nargs="+", default=[200, 1000, 4000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", action="store_true", help="runs, not definitions")
    options = parser.parse_args(arguments)
    if options.runs:
        for stages in options.stages:
            runs(stages)
    else:
        definitions(options.stages, options.repeats)


if __name__ == "__main__":
    main()
