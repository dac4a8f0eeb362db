"""Starts the runner of a stage: forked from this process where that is possible, else anew.

A fork has DVC imported already, which is most of what starting `dvc` costs.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dagster_dvc.errors import DvcBridgeError
from dagster_dvc.running import runner
from dagster_dvc.running.job import Job
from dagster_dvc.running.processes import become_plain

# The package's own __init__ imports Dagster, which a runner does without.
_START = """
import json, sys, types
package = types.ModuleType("dagster_dvc")
package.__path__ = [sys.argv[1]]
sys.modules["dagster_dvc"] = package
from dagster_dvc.running.job import Job
from dagster_dvc.running.runner import main
sys.exit(main(Job(**json.loads(sys.argv[2])), int(sys.argv[3])))
"""


class Launched:
    """A runner that waits to be told to start.

    Args:
        pid: Of the runner, which leads a process group of its own.
        pipe: Where it reads what it starts with.
        process: Its handle where it was started anew.
    """

    def __init__(self, pid: int, pipe: int, process: "subprocess.Popen[bytes] | None") -> None:
        self.pid, self._pipe, self._process = pid, pipe, process
        self._code: int | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Let it begin, with these variables added to its environment."""
        os.write(self._pipe, json.dumps(dict(environment)).encode() + b"\n")
        os.close(self._pipe)
        self._pipe = -1

    def wait(self) -> int:
        """Return its exit code, negative if a signal killed it."""
        if self._code is None:
            if self._process is not None:
                self._code = self._process.wait()
            else:
                _, status = os.waitpid(self.pid, 0)
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def stop(self) -> None:
        """Tell it to end the stage, and wait until it has."""
        if self._code is None:
            os.kill(self.pid, signal.SIGTERM)
            self.wait()

    def end(self) -> None:
        """Kill what it left that was itself killed; in every other case nothing is left."""
        if self._pipe != -1:  # it was never started
            os.close(self._pipe)
            self._pipe = -1
            self.wait()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def launch(root: Path, job: Job) -> Launched:
    """Return a runner for a stage, ready to start.

    It has to be called before anything in this process starts a thread for the stage: a fork takes
    the calling thread along and no other.
    """
    read, write = os.pipe()
    os.set_inheritable(read, True)
    if sys.platform == "linux":  # elsewhere system libraries do not bear a fork
        pid = os.fork()
        if pid == 0:
            os.close(write)
            _run_and_exit(root, job, read)
        os.close(read)
        return Launched(pid, write, None)
    package = str(Path(runner.__file__).parents[1])
    command = [sys.executable, "-c", _START, package, json.dumps(vars(job)), str(read)]
    try:
        process = subprocess.Popen(command, cwd=root, pass_fds=[read])
    except OSError as error:
        raise DvcBridgeError(f"{root}: the runner cannot be started ({error}).") from error
    os.close(read)
    return Launched(process.pid, write, process)


def _run_and_exit(root: Path, job: Job, pipe: int) -> None:
    """Be the runner; this process is a copy of the step's and must not go on as one."""
    code = 1
    try:
        become_plain("dvc-runner")
        os.chdir(root)
        code = runner.main(job, pipe, is_forked=True)
    except BaseException:  # noqa: BLE001 - whatever it was, the copy ends here
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
