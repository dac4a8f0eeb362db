"""What a stage says: lines of its output, and messages through Pipes."""

import json
import os
import selectors
import sys
import time
from pathlib import Path

from dagster_pipes import PipesContext, decode_param, encode_param

from dagster_dvc.running.job import Report

MESSAGES = "DAGSTER_PIPES_MESSAGES"


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
