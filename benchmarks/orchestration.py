"""What Dagster costs over DVC, and DVC over the bare command, where the stages do next to nothing.

    python benchmarks/orchestration.py            eight stages in a row, as the project has
    python benchmarks/orchestration.py --stages 4

Each figure is the median of three. "per stage" is a run in which every stage runs, over the bare
commands one after another; "no-op" is a run of the same job when nothing changed; "load" is what a
fresh process takes to have the project's own definitions.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
STEP = "import sys; open(sys.argv[1], 'w').write(open(sys.argv[2]).read())\n"
DEFINITIONS = """
from pathlib import Path
import dagster as dg
from orchestration.components import DvcPipelineComponent
from orchestration.dvc_bridge.assets import build_assets
from orchestration.dvc_bridge.loading import load_manifest
from orchestration.dvc_bridge.resource import DvcResource

component = DvcPipelineComponent(root=".")

@dg.definitions
def defs():
    return dg.Definitions(
        assets=build_assets(load_manifest(Path.cwd()), component.get_translator()),
        resources={{"dvc": DvcResource(root=str(Path.cwd()))}},
        executor={executor},
    )
"""
EXECUTORS = {
    "step processes (forkserver)": "component.get_executor()",
    "step processes (spawn)": "dg.multiprocess_executor",
    "one process": "dg.in_process_executor",
}


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return time.perf_counter() - start


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


def show(what: str, seconds: float, over_bare: float | None = None) -> None:
    more = "" if over_bare is None else f"   {over_bare:5.2f} s a stage over the bare command"
    print(f"{what:<45}{seconds:6.2f} s{more}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=8)
    stages = parser.parse_args().stages
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

        def median(command: list[str], *, is_changed: bool) -> float:
            seconds = []
            for _ in range(REPEATS):
                if is_changed:
                    change(folder)
                seconds.append(timed(command, folder, environment))
            return statistics.median(seconds)

        change(folder)
        bare = statistics.median(
            sum(timed(command, folder, environment) for command in commands) for _ in range(REPEATS)
        )
        show(f"bare commands, {stages} stages", bare)
        ran = median(repro, is_changed=True)
        show("dvc repro, all run", ran, (ran - bare) / stages)
        show("dvc repro, no-op", median(repro, is_changed=False))
        for label, executor in EXECUTORS.items():
            (folder / "defs.py").write_text(DEFINITIONS.format(executor=executor))
            ran = median(materialize, is_changed=True)
            idle = median(materialize, is_changed=False)
            show(f"{label}, all run", ran, (ran - bare) / stages)
            show(f"{label}, no-op", idle)
        load = [sys.executable, "-c", "from orchestration.definitions import defs; defs()"]
        seconds = [timed(load, ROOT, environment) for _ in range(REPEATS)]
        show("definitions of the project, fresh process", statistics.median(seconds))


if __name__ == "__main__":
    main()
