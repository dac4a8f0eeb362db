"""What a runner is told to do, and what it tells at the end."""

import re
from collections import deque
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

_TAIL = 40
_STAGE_EXIT = re.compile(r"exited with (-?\d+)")
_OUTCOMES = (
    (re.compile(r"is cached - skipping run"), "restored from the run cache"),
    (re.compile(r"Stage '.*didn't change, skipping"), "unchanged"),
    (re.compile(r"Running stage '"), "ran"),
)
_BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked by")


@dataclass(kw_only=True)
class Job:
    """What is to be done.

    Args:
        stage: The target of `dvc repro`.
        data: The .dvc files that are brought up to date first.
        grace_s: Seconds between INT and KILL.
        restore: Outputs that DVC's cache can bring back.
        keep: Outputs that have no cache.
        pull: What is pulled before, if it is missing.
        is_pushed: Whether the outputs are pushed after.
        paths: What the stage reads and writes.
    """

    stage: str
    data: list[str] = field(default_factory=list)
    grace_s: float = 4.0
    restore: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    pull: list[str] = field(default_factory=list)
    is_pushed: bool = False
    paths: list[str] = field(default_factory=list)

    def commands(self) -> list[list[str]]:
        """Return DVC's commands, in order."""
        missing = [path for path in self.pull if "://" not in path and not Path(path).exists()]
        found = [["pull", *missing]] if missing else []
        found += [["repro", "--single-item", *self.data, self.stage]]
        found += [["push", self.stage]] if self.is_pushed else []
        return [waiting_for_lock() + command for command in found]


def waiting_for_lock() -> list[str]:
    """Return the option with which DVC waits for the repository's lock.

    One older than 3.61 has none: it gives up after some seconds and is asked again.
    """
    numbers = re.findall(r"\d+", version("dvc"))
    return ["--wait-for-lock"] if (int(numbers[0]), int(numbers[1])) >= (3, 61) else []


@dataclass
class Report:
    """What the step is told at the end.

    Args:
        outcome: "ran", "restored from the run cache", "unchanged", "failed" or "cancelled".
        exit_code: DVC's.
        stage_exit: The exit code of the stage's own command if it failed, else None.
        is_busy: Whether DVC gave up because another process held a path.
        has_begun: Whether the stage itself was run.
        seconds: From start to end, waiting for others left out.
        restored: Outputs that were brought back.
        tail: The last lines of output.
    """

    outcome: str = "unchanged"
    exit_code: int = 0
    stage_exit: int | None = None
    is_busy: bool = False
    has_begun: bool = False
    seconds: float = 0.0
    restored: list[str] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))

    def read(self, line: str) -> None:
        """Take in a line of output."""
        self.tail.append(line)
        for pattern, outcome in _OUTCOMES:
            if pattern.search(line):
                self.outcome = outcome
        found = _STAGE_EXIT.search(line)
        if found:
            self.stage_exit = int(found.group(1))
        self.has_begun = self.has_begun or self.outcome == "ran"
        self.is_busy = self.is_busy or bool(not self.has_begun and _BUSY.search(line))
