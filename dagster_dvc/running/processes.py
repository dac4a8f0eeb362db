"""The processes of a stage: DVC's own, those it starts, and when they have to end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

DVC = (sys.executable, "-m", "dvc")
_SET_NAME = 15  # PR_SET_NAME: what `ps` and `top` show
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: processes that leave their group stay our descendants


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


def become_plain(name: str) -> None:
    """Shed what a fork takes over from the step: its name, its handlers, its ideas of stdout."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_NAME, name.encode(), 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


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
