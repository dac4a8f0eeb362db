"""What Dagster costs over DVC, and DVC over the bare command, where the stages do next to nothing.

    python -m benchmarks.orchestration            eight stages in a row, as the project has
    python -m benchmarks.orchestration --stages 4

Each figure is the median of three: seconds by the clock, and seconds of processor time, which are
the ones to compare on a busy machine. "over bare" is a run in which every stage runs, less the bare
commands one after another; "no-op" is the same run when nothing changed; the last line is what a
fresh process takes to have the project's own definitions.
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

ROOT = Path(__file__).resolve().parents[1]
STEP = "import sys; open(sys.argv[1], 'w').write(open(sys.argv[2]).read())\n"
DEFINITIONS = """
from pathlib import Path
import dagster as dg
from dagster_dvc import DvcProjectComponent
from dagster_dvc.assets import build_assets
from dagster_dvc.repository import Repository
from dagster_dvc.resources import DvcResource

component = DvcProjectComponent(root=".")

@dg.definitions
def defs():
    return dg.Definitions(
        assets=build_assets(Repository(Path.cwd()), component.get_translator()),
        resources={{"dvc": DvcResource(root=str(Path.cwd()))}},
        executor={executor},
    )
"""
EXECUTORS = {
    "as the project": "component.get_executor()",
    "step processes (spawn)": "dg.multiprocess_executor",
    "one process": "dg.in_process_executor",
}


class Cost(NamedTuple):
    """Seconds by the clock, and seconds of processor time of everything that was started."""

    wall: float
    processor: float


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> Cost:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - start, spent)


def median_of(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def make_repository(folder: Path, stages: int) -> list[list[str]]:
    """Write a pipeline of copies in a row; return the bare commands."""
    (folder / "step.py").write_text(STEP)
    content, commands = {}, []
    for number in range(stages):
        out, before = f"{number}.txt", f"{number - 1}.txt" if number else "raw.txt"
        command = [sys.executable, "step.py", out, before]
        commands.append(command)
        content[f"s{number}"] = {
            "cmd": " ".join(command),
            "deps": ["step.py", before],
            "outs": [out],
        }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": content}))  # JSON is YAML
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    return commands


def change(folder: Path) -> None:
    (folder / "raw.txt").write_text(str(time.time_ns()))


def show(what: str, cost: Cost, bare: Cost | None = None, stages: int = 1) -> None:
    line = f"{what:<44}{cost.wall:7.2f} s{cost.processor:8.2f} s"
    if bare:
        over = [(a - b) / stages for a, b in zip(cost, bare, strict=True)]
        line += f"   a stage over bare:{over[0]:6.2f} s{over[1]:6.2f} s"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    stages, repeats = options.stages, options.repeats
    with TemporaryDirectory() as name:
        folder, home = Path(name) / "repository", Path(name) / "home"
        folder.mkdir()
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        environment = os.environ | {
            "DAGSTER_HOME": str(home),
            "DVC_NO_ANALYTICS": "1",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        commands = make_repository(folder, stages)
        materialize = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*"]
        materialize += ["-f", str(folder / "defs.py")]
        repro = [sys.executable, "-m", "dvc", "repro"]

        def measure(command: list[str], *, is_changed: bool) -> Cost:
            costs = []
            for _ in range(repeats):
                if is_changed:
                    change(folder)
                costs.append(timed(command, folder, environment))
            return median_of(costs)

        change(folder)
        each = [
            [timed(command, folder, environment) for command in commands] for _ in range(repeats)
        ]
        bare = median_of([Cost(*map(sum, zip(*costs, strict=True))) for costs in each])
        print(f"{'':<44}{'clock':>9}{'processor':>10}")
        show(f"bare commands, {stages} stages", bare)
        show("dvc repro, all run", measure(repro, is_changed=True), bare, stages)
        show("dvc repro, no-op", measure(repro, is_changed=False))
        for label, executor in EXECUTORS.items():
            (folder / "defs.py").write_text(DEFINITIONS.format(executor=executor))
            show(f"{label}, all run", measure(materialize, is_changed=True), bare, stages)
            show(f"{label}, no-op", measure(materialize, is_changed=False))
        load = [sys.executable, "-c", "from orchestration.definitions import defs; defs()"]
        costs = [timed(load, ROOT, environment) for _ in range(repeats)]
        show("the project's definitions, fresh process", median_of(costs))


if __name__ == "__main__":
    main()
