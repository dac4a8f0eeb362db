"""The files of the event log: open ones that a process appends to, closed ones that ingest reads.

An open file is locked by its writer, so that others see that it lives; what a killed process left
is closed by whoever comes next, without the line that was cut.
"""

import errno
import fcntl
import logging
import os
import shutil
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from smar.errors import SmarError
from smar.replace import flush_to_disk, write_file

logger = logging.getLogger(__name__)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BLOCK = 1 << 16
_numbers = count(1)


class LogFullError(SmarError):
    """There is no room for the log; nothing of what was to be written is in it."""


class LogBusyError(SmarError):
    """The disk does not keep up, or the log is closed; the same may be sent again later."""


class OpenFile:
    """The file that is written; locked, so that others see that its writer lives."""

    def __init__(self, spool: Path) -> None:
        self._day, self._opened = datetime.now(UTC).date(), time.monotonic()
        self._opened_ns = time.time_ns()
        self.path, self._descriptor = _created(spool)
        flush_to_disk(spool)
        self._size = 0

    def write(self, lines: bytes) -> None:
        """Write all of the lines or, where they do not fit, none."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            if error.errno in _FULL:
                raise LogFullError(f"{self.path}: {error.strerror}. Free space on it.") from error
            raise LogBusyError(f"{self.path}: {error.strerror}.") from error
        self._size += len(lines)

    def sync(self) -> None:
        """Bring what was written to the disk; closed files are there already."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes that were written."""
        return self._size

    def is_due(self, most_s: float) -> bool:
        """Return whether it is time to close the file: old, or of another day."""
        is_old = time.monotonic() - self._opened >= most_s
        return is_old or datetime.now(UTC).date() != self._day

    def is_asked_for(self, mark: Path) -> bool:
        """Return whether the mark was touched since the file was opened."""
        try:
            return mark.stat().st_mtime_ns >= self._opened_ns
        except FileNotFoundError:
            return False

    def close_into(self, folder: Path) -> Path:
        """Bring the file to the disk and into a folder; where that fails others may take it."""
        try:
            self.sync()
            return _moved(self.path, folder)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give the file up as it is."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _created(spool: Path) -> tuple[Path, int]:
    """Return a new file and its descriptor, locked; names sort as one process made them.

    Before it is locked it looks like one that a process left which died, and whoever tidies up then
    may remove it: that one is given up, for what is written to it would be lost.
    """
    while True:
        now = datetime.now(UTC)
        path = spool / f"ubi-{now:%Y-%m-%d-%H%M%S}-{os.getpid()}-{next(_numbers):06d}.ndjson"
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def adopt(spool: Path, folder: Path) -> list[Path]:
    """Close the files of processes that died, and return where they are; living ones keep theirs.

    A last line without its end was never acknowledged; it is left out.
    """
    adopted = []
    for path in log_files(spool):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another process was faster
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists():
                continue
            if size := _cut_to_lines(descriptor, path):
                os.fsync(descriptor)
                adopted.append(_moved(path, folder))
                logger.warning("%s: taken over from a process that died, %d bytes", path, size)
            else:
                path.unlink()
        except BlockingIOError:
            continue  # its writer lives
        finally:
            os.close(descriptor)
    return adopted


def _cut_to_lines(descriptor: int, path: Path) -> int:
    """Cut what follows the last end of a line, and return the size that is left."""
    size = end = os.fstat(descriptor).st_size
    whole = 0
    while end:
        begin = max(0, end - _BLOCK)
        place = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if place >= 0:
            whole = begin + place + 1
            break
        end = begin
    if whole < size:
        logger.warning("%s: a line of %d bytes was cut; left out", path, size - whole)
        os.ftruncate(descriptor, whole)
    return whole


def _moved(path: Path, folder: Path) -> Path:
    """Move a file into a folder, whole, and return it there."""
    target = folder / path.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with write_file(target) as temporary:
            shutil.copyfile(path, temporary)
        path.unlink()
    flush_to_disk(folder)
    return target


def log_files(folder: Path) -> list[Path]:
    """Return the event files of a folder, oldest first."""
    return sorted(folder.glob("ubi-*.ndjson"))


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 if it was moved away just now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
