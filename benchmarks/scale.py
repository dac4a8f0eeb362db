"""What every stage costs on a made-up shop of one size after the other, and how that grows.

`python -m benchmarks.scale --items 20000 100000`: seconds, seconds of processor and memory of each
stage as a process of its own, with the exponent between two sizes (1: as the shop grows). Trainings
take three steps: what is measured is their preparation. The shop's files lie on the disk and not
in memory when the first stage begins, whatever their number. With `--changed` each stage runs again
after 1 % of the items and pictures changed and a day of log came; with `--changed items day` after
the one, and then after the other.

Memory is what a process has for itself (anonymous pages), looked at four times a second; in
brackets with the pages of files it has mapped, which the system takes back when it needs them. A
stage that has more than `--memory` GB for itself is killed. With `--folder` all stays there, and a
later run goes on with the shop and what stages have made of it. `--record FILE` writes what
`smar plan --measured FILE` predicts other sizes from.
"""

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import yaml

from benchmarks.scale_shop import DAYS, LAST_DAY, SETTINGS, change_shop, write_shop
from smar.pages.text_table import aligned
from smar.planning.cost import Run
from smar.stages import declared

ROOT = Path(__file__).parent.parent
STAGES = (
    "ingest", "validate", "synthesize", "features", "pretrain", "finetune", "embed", "index",
    "evaluate",
)  # fmt: skip
SEED = 7
_STEPS = {"steps": 3, "items_per_step": 64, "precision": "float32"}
CHANGES = {"both": "1 % and a day", "items": "1 % changed", "day": "a day came"}
_SHOP = "shop.json"  # what was made, written once it is whole
_LOOK_S = 0.25
_GB = 1e9


@dataclass(frozen=True)
class Cost:
    """What one stage took.

    Args:
        items: Size of the shop.
        stage: Its name; "shop" is the making of the shop.
        changed: What had changed before it ran, of `CHANGES`; "" for a full run.
        seconds: By the clock.
        cpu_s: Of processor, user and system.
        own_gb: Most anonymous memory.
        peak_gb: Most memory, mapped files counted.
        is_killed: Whether it was killed for memory; the other figures are those up to then.
        written_gb: What its outputs take on disk.
    """

    items: int
    stage: str
    changed: str
    seconds: float
    cpu_s: float
    own_gb: float
    peak_gb: float
    is_killed: bool = False
    written_gb: float = 0.0


def write_params(root: Path, *, pictures: bool) -> None:
    """Write the parameters that ship, with the shop's files and short trainings."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["ingest"] |= {"source": SETTINGS["source"]}
    content["ingest"]["log"] |= SETTINGS["log"]
    content["validate"]["log"]["as_of"] = str(LAST_DAY)
    content["pretrain"] |= _STEPS
    content["finetune"] |= _STEPS
    if not pictures:
        content["model"]["fusion"] = "text_only"
    (root / "params.yaml").write_text(yaml.safe_dump(content))


def measure(root: Path, stage: str, items: int, memory_gb: float, changed: str = "") -> Cost:
    """Run a stage in a process of its own.

    Raises:
        SystemExit: If it fails for another reason than memory; its log is shown.
    """
    command = [sys.executable, "-m", "smar", stage, "--root", str(root), "--quiet"]
    log = root / f"{stage}.log"
    started, own = time.perf_counter(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        own = max(own, _anonymous(process.pid))
        if own > memory_gb * _GB:
            process.send_signal(signal.SIGKILL)
        time.sleep(_LOOK_S)
    process.returncode = os.waitstatus_to_exitcode(status)
    is_killed = process.returncode == -signal.SIGKILL
    if process.returncode and not is_killed:
        raise SystemExit(f"{stage} failed:\n{log.read_text()[-4000:]}")
    return Cost(
        items=items,
        stage=stage,
        changed=changed,
        seconds=time.perf_counter() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        own_gb=own / _GB,
        peak_gb=usage.ru_maxrss * 1024 / _GB,
        is_killed=is_killed,
        written_gb=written_gb(root, stage),
    )


def written_gb(root: Path, stage: str) -> float:
    """Return what the outputs of a stage take on disk."""
    found = [root / name for name in declared()[stage].writes]
    files = [f for path in found for f in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file()) / _GB


def record(path: Path, costs: Sequence[Cost], command: str) -> None:
    """Write what `smar.planning` reads: full runs of stages that were not killed."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - found on PATH
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    cores, memory = psutil.cpu_count() or 1, psutil.virtual_memory().total / _GB
    runs = [
        Run(cost.items, cost.stage, cost.cpu_s, cost.own_gb, cost.written_gb)
        for cost in costs
        if not (cost.changed or cost.is_killed) and cost.stage != "shop"
    ]
    rounded = [{name: _rounded(value) for name, value in asdict(run).items()} for run in runs]
    load = os.getloadavg()[1]
    machine = f"{cores} cores, {memory:.0f} GB, {load:.1f} processes waiting"
    content = {"command": command, "commit": commit, "machine": machine, "runs": rounded}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _anonymous(pid: int) -> int:
    """Return the bytes that a process and its children have for themselves."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            text = Path(f"/proc/{each.pid}/status").read_text()
            total += 1024 * int(text.partition("RssAnon:")[2].split(maxsplit=1)[0])
    except (psutil.Error, OSError, IndexError):  # it has just ended
        pass
    return total


def exponent(smaller: Cost, larger: Cost, name: str) -> float:
    """Return e where a figure grows as the size of the shop to the power of e."""
    ratio = getattr(larger, name) / max(getattr(smaller, name), 1e-9)
    return math.log(max(ratio, 1e-9)) / math.log(larger.items / smaller.items)


def table(costs: Sequence[Cost]) -> list[str]:
    """Return the lines of a table: a row per stage, columns per size, exponents at the end."""
    sizes = sorted({cost.items for cost in costs})
    found = {(cost.stage, cost.changed, cost.items): cost for cost in costs}
    header = ["stage"]
    for size in sizes:
        header += [f"{size:,}: s", "cpu s", "GB"]
    for size in sizes[1:]:
        header += [f"exponent to {size:,}: cpu", "GB"]
    rows = [header]
    for stage, changed in dict.fromkeys((cost.stage, cost.changed) for cost in costs):
        row = [f"{stage}, {CHANGES[changed]}" if changed else stage]
        of_size = [found.get((stage, changed, size)) for size in sizes]
        for cost in of_size:
            row += ["-"] * 3 if cost is None else _cells(cost)
        for smaller, larger in pairwise(of_size):
            row += [_growth(smaller, larger, name) for name in ("cpu_s", "own_gb")]
        rows.append(row)
    return aligned(rows, left=1)


def _growth(smaller: Cost | None, larger: Cost | None, name: str) -> str:
    if smaller is None or larger is None or smaller.is_killed or larger.is_killed:
        return "-"
    return f"{exponent(smaller, larger, name):.2f}" if getattr(smaller, name) else "-"


def _cells(cost: Cost) -> list[str]:
    mark = "killed: " if cost.is_killed else ""
    memory = f"{mark}{cost.own_gb:.2f} ({cost.peak_gb:.2f})"
    return [f"{cost.seconds:.1f}", f"{cost.cpu_s:.1f}", memory]


def run_size(root: Path, size: int, options: argparse.Namespace) -> list[Cost]:
    """Run the stages on a shop in `root`, made where it is not there; and again after a change.

    Each cost is printed.
    """
    raw = root / "data" / "raw"
    has_pictures = not options.no_pictures
    started, cpu = time.perf_counter(), time.process_time()
    write_params(root, pictures=has_pictures)
    costs: list[Cost] = []
    shop = {"items": size, "seed": SEED, "pictures": has_pictures}
    if not _holds(root, shop):
        shutil.rmtree(raw, ignore_errors=True)
        write_shop(raw, size, SEED, pictures=has_pictures)
        (root / _SHOP).write_text(json.dumps(shop))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        made = Cost(size, "shop", changed="", seconds=seconds, cpu_s=cpu_s, own_gb=0, peak_gb=0)
        costs.append(_told(made))
    put_out_of_memory(raw)
    costs += _run_stages(root, size, options)
    for change in options.changed:
        costs += run_changed(root, size, options, change)
    return costs


def put_out_of_memory(folder: Path) -> None:
    """Let the system forget the pages of a folder's files: of a million they do not fit anyway."""
    os.sync()  # pages that are not written yet stay
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.open(os.path.join(path, name), os.O_RDONLY)  # noqa: PTH118 - of a million
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def _holds(root: Path, shop: Mapping[str, int]) -> bool:
    """Return whether a folder has this very shop, as it was made."""
    path = root / _SHOP
    return path.exists() and json.loads(path.read_text()) == shop


def run_changed(
    root: Path, size: int, options: argparse.Namespace, change: str = "both"
) -> list[Cost]:
    """Change the shop that `run_size` made, and run stages on it; print each cost."""
    (root / _SHOP).unlink(missing_ok=True)
    change_shop(
        root / "data" / "raw",
        size,
        SEED,
        pictures=not options.no_pictures,
        items=change != "day",
        day=change != "items",
    )
    return _run_stages(root, size, options, change)


def _run_stages(
    root: Path, size: int, options: argparse.Namespace, changed: str = ""
) -> list[Cost]:
    costs: list[Cost] = []
    for stage in options.stages:
        costs.append(_told(measure(root, stage, size, options.memory, changed)))
        if costs[-1].is_killed:
            break
    return costs


def _told(cost: Cost) -> Cost:
    print(json.dumps({name: _rounded(value) for name, value in asdict(cost).items()}), flush=True)
    return cost


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES, metavar="STAGE")
    parser.add_argument("--no-pictures", action="store_true", help="a shop of texts alone")
    parser.add_argument(
        "--changed", nargs="*", choices=CHANGES, default=None, metavar="items|day|both",
        help=f"and after 1 %% of the items and day {DAYS + 1} of the log; none named: at once",
    )  # fmt: skip
    parser.add_argument("--memory", type=float, default=6.0, help="GB that a stage may have")
    parser.add_argument("--record", type=Path, metavar="FILE", help="for `smar plan`")
    parser.add_argument("--folder", type=Path, help="where all stays (temporary)")
    options = parser.parse_args()
    options.changed = [] if options.changed is None else options.changed or ["both"]
    costs: list[Cost] = []
    for size in options.items:
        with TemporaryDirectory() as temporary:
            root = (options.folder or Path(temporary)) / str(size)
            root.mkdir(parents=True, exist_ok=True)
            costs += run_size(root, size, options)
    print("\n".join(table(costs)))
    if options.record:
        record(options.record, costs, f"python -m benchmarks.scale {' '.join(sys.argv[1:])}")


if __name__ == "__main__":
    main()
