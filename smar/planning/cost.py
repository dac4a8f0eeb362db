"""A model of what stages cost: what they take anyway, and so much for each item.

Of every stage the two outermost sizes that were measured give the line: processor, memory and bytes
written are `fixed + per_item * items`, neither below 0. Sizes between them check it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smar.errors import DataError

FIGURES = ("cpu_s", "memory_gb", "written_gb")
_LEAST_SHARE = 0.01  # of what all stages take, for one to be told
_HOUR_S = 3600


@dataclass(frozen=True)
class Run:
    """One stage that was run on a shop of one size: `FIGURES` of it."""

    items: int
    stage: str
    cpu_s: float
    memory_gb: float
    written_gb: float


@dataclass(frozen=True)
class Measured:
    """What was measured, with the command, the commit and the machine that it was measured with."""

    command: str
    commit: str
    machine: str
    runs: list[Run]

    @property
    def sizes(self) -> list[int]:
        """Sizes of the shops, ascending."""
        return sorted({run.items for run in self.runs})


@dataclass(frozen=True)
class Line:
    """A figure of a stage: `fixed + per_item * items`."""

    fixed: float
    per_item: float

    def at(self, items: float) -> float:
        """Return the figure of a shop of so many items."""
        return self.fixed + self.per_item * items


@dataclass(frozen=True)
class Machine:
    """What machines are like, and until when all has to be done.

    Args:
        cores: Processors of one.
        memory_gb: Memory of one.
        price: Of an hour of one, in any currency.
        hours: In which a full run has to be done.
    """

    cores: int
    memory_gb: float
    price: float
    hours: float


@dataclass(frozen=True)
class Stage:
    """What a stage is going to take, as one process."""

    name: str
    cpu_hours: float
    memory_gb: float
    written_gb: float

    def parts(self, machine: Machine) -> int:
        """Return into how many parts of equal size it has to be cut to fit in the memory of one."""
        return max(1, math.ceil(self.memory_gb / machine.memory_gb))


@dataclass(frozen=True)
class Plan:
    """What a full run is going to take.

    Args:
        stages: Every stage.
        machines: How many are needed for the time and the memory.
        hours: What they take, all of them at work.
        price: What that costs.
    """

    stages: list[Stage]
    machines: int
    hours: float
    price: float


def read_measured(path: Path) -> Measured:
    """Return what a file of `python -m benchmarks.scale --record FILE` says.

    Raises:
        DataError: If it is none, or holds fewer than two sizes of a stage.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        runs = [Run(**run) for run in content.pop("runs")]
        measured = Measured(**content, runs=runs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: not what `python -m benchmarks.scale --record FILE` writes ({error})."
        ) from error
    sizes = {stage: {run.items for run in runs if run.stage == stage} for stage in stages_of(runs)}
    few = [stage for stage, found in sizes.items() if len(found) < 2]
    if few or not runs:
        raise DataError(
            f"{path}: {', '.join(few) or 'every stage'} was measured at fewer than two sizes. "
            "Measure two with `python -m benchmarks.scale --items 5000 20000 --record FILE`."
        )
    return measured


def stages_of(runs: Sequence[Run]) -> list[str]:
    """Return the names of the stages, in the order in which they were run."""
    return list(dict.fromkeys(run.stage for run in runs))


def line_of(runs: Sequence[Run], figure: str) -> Line:
    """Return the line through the smallest and the largest run of a stage."""
    small, large = (pick(runs, key=lambda run: run.items) for pick in (min, max))
    low, high = getattr(small, figure), getattr(large, figure)
    per_item = max(0.0, (high - low) / (large.items - small.items))
    return Line(max(0.0, low - per_item * small.items), per_item)


def errors(runs: Sequence[Run], figure: str) -> dict[int, dict[str, float]]:
    """Return predicted over seen, less 1, at the sizes between: by size, by stage and "sum".

    A stage that takes less than a hundredth of all is not told: what it takes is its start.
    """
    found: dict[int, dict[str, float]] = {}
    for size in sorted({run.items for run in runs}):
        predicted: dict[str, float] = {}
        seen: dict[str, float] = {}
        for stage in stages_of(runs):
            of_stage = [run for run in runs if run.stage == stage]
            here = [run for run in of_stage if run.items == size]
            ends = {min(run.items for run in of_stage), max(run.items for run in of_stage)}
            if here and size not in ends:
                predicted[stage] = line_of(of_stage, figure).at(size)
                seen[stage] = getattr(here[0], figure)
        if seen:
            predicted["sum"], seen["sum"] = sum(predicted.values()), sum(seen.values())
            least = _LEAST_SHARE * seen["sum"]
            found[size] = {s: predicted[s] / seen[s] - 1 for s in seen if seen[s] > least}
    return found


def make_plan(measured: Measured, items: float, machine: Machine) -> Plan:
    """Return what a full run over so many items takes.

    A stage is cut into equal parts that fit in memory, and machines share the work evenly: a lower
    bound wherever parts are not equal, or one stage waits for another.
    """
    stages = []
    for name in stages_of(measured.runs):
        runs = [run for run in measured.runs if run.stage == name]
        cpu, memory, written = (line_of(runs, figure).at(items) for figure in FIGURES)
        stages.append(Stage(name, cpu / _HOUR_S, memory, written))
    hours = sum(stage.cpu_hours for stage in stages) / machine.cores
    parts = max(stage.parts(machine) for stage in stages)
    machines = max(parts, math.ceil(hours / machine.hours))
    return Plan(stages, machines, hours / machines, hours * machine.price)
