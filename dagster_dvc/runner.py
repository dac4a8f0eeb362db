"""Runs `dvc repro` for one stage and answers for the whole process tree below it.

A copy of the Dagster step's process, or started as a file, so that nothing else is imported.
It passes on output line by line, ends the tree when it is told to or when the step is gone, and
brings back the stage's last good outputs when the stage did not finish.
"""

import ctypes
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from dagster_pipes import PipesContext, decode_param, encode_param, open_dagster_pipes

MESSAGES = "DAGSTER_PIPES_MESSAGES"
DVC = (sys.executable, "-m", "dvc")
_TICK_S = 0.2
_TAIL = 40
_MOST_KEPT = 2**20  # bytes
_SET_NAME = 15  # PR_SET_NAME: what `ps` and `top` show
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: processes that leave their group stay our descendants
_STAGE_EXIT = re.compile(r"exited with (-?\d+)")
_OUTCOMES = (
    (re.compile(r"is cached - skipping run"), "restored from the run cache"),
    (re.compile(r"Stage '.*didn't change, skipping"), "unchanged"),
    (re.compile(r"Running stage '"), "ran"),
)
_BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked by")
_BUSY_PATH = re.compile(r"'([^']+)' is busy, it is being blocked by")
_HOLDER = re.compile(r"\(PID (\d+)\)")
_LOCK_FILE = re.compile(r"remove '(.+)' and try again")
_POLL_S = 0.5
_RETRY_S = 5.0  # where DVC does not say who holds what


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
    """

    stage: str
    data: list[str] = field(default_factory=list)
    grace_s: float = 4.0
    restore: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    pull: list[str] = field(default_factory=list)
    is_pushed: bool = False

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


class Watch:
    """Knows whether to stop: a signal came, or the process that started us is gone."""

    def __init__(self) -> None:
        self.reason = ""
        self._parent = os.getppid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.reason = self.reason or signal.Signals(number).name

    def is_over(self) -> bool:
        """Return whether the tree has to stop; `reason` says why."""
        if not self.reason and os.getppid() != self._parent:
            self.reason = "the Dagster step is gone"
        return bool(self.reason)


class StageMessages:
    """Passes on what the stage's own process reports through Pipes, if it does.

    The stage gets a message file of its own: it may open and close Pipes without ending ours.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "stage.jsonl"
        self.file.touch()
        self._place = 0
        self._target = decode_param(os.environ[MESSAGES])["path"] if MESSAGES in os.environ else ""

    def environment(self) -> dict[str, str]:
        """Return what the stage's process finds in its environment."""
        if not self._target:
            return {}
        return {MESSAGES: encode_param({"path": str(self.file)})}

    def relay(self) -> None:
        """Copy complete new messages to the step."""
        if not self._target:
            return
        with self.file.open("rb") as file:
            file.seek(self._place)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        kept = [
            line
            for line in whole.splitlines()
            if json.loads(line)["method"] not in {"opened", "closed"}
        ]
        if kept:
            with Path(self._target).open("ab") as target:
                target.write(b"".join(line + b"\n" for line in kept))


def become_plain(name: str) -> None:
    """Shed what a fork takes over from the step: its name, its handlers, its ideas of stdout."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_NAME, name.encode(), 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def main(job: Job, pipe: int, *, is_forked: bool = False) -> int:
    """Run a stage; the exit code is DVC's, or 130 when cancelled.

    Args:
        job: What is to be done.
        pipe: Where the variables for the environment come from, as one line of JSON.
        is_forked: Whether DVC can be run in a copy of this process.
    """
    watch = Watch()
    os.setpgid(0, 0)
    with os.fdopen(pipe, encoding="utf-8") as lines:
        start = lines.readline()
    if not start:  # the step gave up before it began
        return 130
    os.environ.update(json.loads(start))
    become_subreaper()
    with TemporaryDirectory(prefix="dvc-stage-") as folder, open_dagster_pipes() as pipes:
        messages = StageMessages(Path(folder))
        before = remember(job.keep)
        report = Report()
        for arguments in job.commands():
            run(arguments, report, watch, messages, pipes, job.grace_s, is_forked=is_forked)
            while report.exit_code and report.is_busy and wait_until_free(report, watch, pipes):
                report = Report()
                run(arguments, report, watch, messages, pipes, job.grace_s, is_forked=is_forked)
            if report.exit_code:
                break
        # What a stage that never began writes is in other hands.
        if report.exit_code and not report.is_busy:
            is_cancelled = report.outcome == "cancelled"
            report.restored = restore(job.restore, pipes, is_everything=is_cancelled)
            report.restored += put_back(before)
        pipes.report_custom_message(vars(report) | {"tail": list(report.tail)})
    return report.exit_code


def run(
    arguments: Sequence[str],
    report: Report,
    watch: Watch,
    messages: StageMessages,
    pipes: PipesContext,
    grace: float,
    *,
    is_forked: bool,
) -> None:
    """Run a command of DVC, pass on all it prints, and take down how it ended."""
    start = time.monotonic()
    environment = {"PYTHONUNBUFFERED": "1"} | messages.environment()
    process = Process(arguments, environment, is_forked=is_forked)
    lines = Lines(process.output)
    while process.poll() is None and not watch.is_over():
        pass_on(lines.read(_TICK_S), report, pipes)
        messages.relay()
    if process.poll() is None:
        pipes.log.warning("stopping: %s", watch.reason)
        stop_tree(grace)
    code = process.wait()
    pass_on(lines.read(0.0, last=True), report, pipes)
    os.close(process.output)
    messages.relay()
    report.exit_code = 130 if watch.reason else code
    if report.exit_code:
        report.outcome = "cancelled" if watch.reason else "failed"
    report.seconds += time.monotonic() - start


def wait_until_free(report: Report, watch: Watch, pipes: PipesContext) -> bool:
    """Wait while another process holds what the stage needs; False if it is told to stop.

    DVC does not wait for single paths: it gives up and says who holds which. What waits in this way
    costs nothing, and stages that share no path never get here.
    """
    said = "\n".join(report.tail)
    path, file = _BUSY_PATH.search(said), _LOCK_FILE.search(said)
    holders = {int(pid) for pid in _HOLDER.findall(said)}
    what = f"{path[1]}, which is in use by process {', '.join(map(str, holders))}" if path else said
    pipes.log.info("waiting for %s", what)
    start = time.monotonic()
    while not watch.is_over():
        time.sleep(_POLL_S)
        if path is None or file is None:
            is_held = time.monotonic() - start < _RETRY_S
        else:
            is_held = is_locked(Path(file[1]), path[1], holders)
        if not is_held:
            return True
    report.outcome, report.exit_code = "cancelled", 130
    return False


def is_locked(file: Path, path: str, holders: set[int]) -> bool:
    """Return whether one of some processes still holds a path in DVC's file of locks."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # gone, or about to be written
        return False
    held = [*content.get("write", {}).items(), *content.get("read", {}).items()]
    for other, entries in held:
        pids = {entry["pid"] for entry in (entries if isinstance(entries, list) else [entries])}
        one, two = f"{other}/", f"{path}/"
        if (one.startswith(two) or two.startswith(one)) and any(
            psutil.pid_exists(pid) for pid in pids & holders
        ):
            return True
    return False


class Process:
    """A command of DVC.

    Args:
        arguments: What follows `dvc`.
        environment: Variables it has beside ours.
        is_forked: Whether it runs in a copy of this process, which has imported DVC.
    """

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], *, is_forked: bool
    ) -> None:
        self.output, write = os.pipe()
        self._code: int | None = None
        if is_forked:
            self._pid = os.fork()
            if self._pid == 0:
                _be_dvc(list(arguments), environment, write)
        else:
            process = subprocess.Popen(
                [*DVC, *arguments], env=os.environ | environment, stdin=subprocess.DEVNULL,
                stdout=write, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self._pid = process.pid
            process.returncode = 0  # it is waited for here
        os.close(write)

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self) -> int:
        """Return its exit code when it has ended."""
        if self._code is None:
            _, status = os.waitpid(self._pid, 0)
            self._code = os.waitstatus_to_exitcode(status)
        return self._code


def _be_dvc(arguments: list[str], environment: dict[str, str], write: int) -> None:
    """Be `dvc`, in a process that is a copy of the runner's."""
    code = 255
    try:
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(write, 1)
        os.dup2(write, 2)
        become_plain("dvc")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        from dagster_dvc.private import run_command

        code = run_command(arguments)
    except BaseException:  # noqa: BLE001 - the copy ends here, whatever it was
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Lines:
    """Complete lines of a pipe; of a progress bar (carriage returns) the latest state a second."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._shown_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)
        os.set_blocking(descriptor, False)

    def read(self, wait_s: float, *, last: bool = False) -> list[str]:
        """Return the lines that came within `wait_s`; with `last`, an unfinished one too."""
        if self._selector.select(wait_s):
            while chunk := self._chunk():
                self._rest += chunk
        *whole, self._rest = self._rest.split(b"\n")
        if last and self._rest:
            whole.append(self._rest)
            self._rest = b""
        bar, _, rest = self._rest.rpartition(b"\r")
        if bar and time.monotonic() - self._shown_at > 1:
            self._shown_at = time.monotonic()
            whole.append(bar)
        if bar:
            self._rest = rest
        shown = [line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace") for line in whole]
        return [line.rstrip() for line in shown if line.strip()]

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return b""


def pass_on(lines: list[str], report: Report, pipes: PipesContext) -> None:
    """Show lines in the step's stdout and in its event log.

    What DVC says of a path in use ends in the advice to delete its locks; it is not passed on.
    """
    shown = []
    for line in lines:
        report.read(line)
        if not report.is_busy:
            shown.append(line)
            sys.stdout.write(f"{line}\n")
    if shown:
        sys.stdout.flush()
        pipes.log.info("\n".join(shown))


def become_subreaper() -> None:
    """Make processes that leave the tree come back to us (Linux; elsewhere they are let go)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def stop_tree(grace: float) -> None:
    """End every process below this one: interrupt, and kill what is left after `grace` seconds."""
    signal_all(descendants(), signal.SIGINT)
    deadline = time.monotonic() + grace
    while descendants() and time.monotonic() < deadline:
        time.sleep(0.05)
    while left := descendants():
        signal_all(left, signal.SIGKILL)
        time.sleep(0.05)


def descendants() -> list[psutil.Process]:
    """Return the living processes below this one."""
    found = psutil.Process().children(recursive=True)
    return [process for process in found if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still does something."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may be gone by now."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def restore(paths: list[str], pipes: PipesContext, *, is_everything: bool) -> list[str]:
    """Return which of the paths are back as dvc.lock last recorded them.

    DVC deletes outputs before it runs a stage; the cache still has them. What a failed stage left
    may tell why it failed and stays; what a cancelled one left is half of something.
    """
    wanted = [path for path in paths if is_everything or not Path(path).exists()]
    if not wanted:
        return []
    command = [*DVC, *waiting_for_lock(), "checkout", "--force", *wanted]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    back = [path for path in wanted if Path(path).exists()]
    if back:
        pipes.log.warning("brought back the last good %s", ", ".join(back))
    if result.returncode:
        pipes.log.warning("`dvc checkout` said: %s", result.stderr.strip())
    return back


def remember(paths: list[str]) -> dict[str, bytes]:
    """Return the content of small files that DVC will delete and has no copy of."""
    files = [Path(path) for path in paths]
    return {
        str(file): file.read_bytes()
        for file in files
        if file.is_file() and file.stat().st_size <= _MOST_KEPT
    }


def put_back(contents: dict[str, bytes]) -> list[str]:
    """Write remembered files that are missing; return which."""
    missing = [path for path in contents if not Path(path).exists()]
    for path in missing:
        Path(path).write_bytes(contents[path])
    return missing


if __name__ == "__main__":
    sys.exit(main(Job(**json.loads(sys.argv[1])), int(sys.argv[2])))
