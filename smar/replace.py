"""Files and directories that change places whole: written beside, flushed, renamed.

A reader, or a process killed at any moment, sees the old one or the new one and never half of it.
"""

import ctypes
import fcntl
import glob
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory

logger = logging.getLogger(__name__)

_MINUTE_S = 60


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name that becomes `path` when the block succeeds.

    What is there and no file (a pipe, a device, `/dev/stdout`) gets the content and stays.
    """
    if _takes_bytes(path):
        with TemporaryDirectory() as folder:
            yield Path(folder) / path.name
            with (Path(folder) / path.name).open("rb") as content, path.open("wb") as target:
                shutil.copyfileobj(content, target)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.replace(path)
        flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _takes_bytes(path: Path) -> bool:
    """Return whether a path is no file that may be replaced, nor a link to what is one."""
    leads_to = path.readlink() if path.is_symlink() else path
    if "/proc" in map(str, (*leads_to.parents, *path.parent.resolve().parents)):
        return True  # a stream of this process, whatever it was redirected to
    return path.exists() and not path.is_file() and not path.is_dir()


def linked(file: Path, place: Path) -> bool:
    """Return whether a file has a further name now; a file system may have no links."""
    try:
        os.link(file.resolve(), place)
    except OSError:
        return False
    return True


def link_or_copy(file: Path, place: Path) -> None:
    """Give a file a further name, or put a copy there where the system has no such links."""
    if not linked(file, place):
        shutil.copy2(file, place)


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces the directory `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    temporary.mkdir()
    mode = temporary.stat().st_mode  # what the umask gives
    try:
        with _held(temporary):
            yield temporary
            _open_to_readers(temporary, mode)
            _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put_back(path: Path) -> None:
    """Put back a directory whose writer died between its two renames; readers call it.

    Only where two directories cannot change places in one step is there such a moment. What a
    living writer set aside is its own.
    """
    if path.exists():
        return
    for backup in _leftovers(path, "old"):
        if not _has_owner(backup):
            logger.warning("%s: put back what a writer that died had set aside", path)
            with suppress(OSError):  # another reader was faster
                backup.rename(path)
            return


def _sweep(path: Path) -> None:
    """Put back a directory caught mid-swap and remove what killed writers left behind."""
    put_back(path)
    for leftover in (*_leftovers(path, "tmp"), *_leftovers(path, "old")):
        if not _has_owner(leftover):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def _leftovers(path: Path, kind: str) -> list[Path]:
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.{kind}*"))


def _has_owner(leftover: Path) -> bool:
    """Return whether a living process is at work on a temporary directory or file.

    A writer holds a lock on its directories, which the system gives back when it dies, on this
    machine or another. A directory made this minute may not be locked yet, and a file never is:
    they are taken for owned while the process that the name tells runs. On a shared disk it may run
    elsewhere, so that a file is waited for.
    """
    owner = leftover.name.rpartition("-")[2]
    runs = owner != str(os.getpid()) and owner.isdigit() and Path(f"/proc/{owner}").exists()
    try:
        age_s = time.time() - leftover.stat().st_mtime
        if not leftover.is_dir():
            return runs or age_s < 60 * _MINUTE_S
        is_locked = _is_locked(leftover)
    except OSError:
        return True  # someone else has just removed it
    if is_locked is None:
        return runs
    return is_locked or (runs and ".tmp-" in leftover.name and age_s < _MINUTE_S)


def _is_locked(folder: Path) -> bool | None:
    """Return whether a process holds a directory, None where the file system has no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the lock that tells others that this process is at work on a directory."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _open_to_readers(folder: Path, mode: int) -> None:
    """Give a folder and all in it the modes of the umask; read-only files stay read-only.

    What was copied from a temporary directory is closed to everyone but its owner, and a service
    that runs as another user could not load it. What has its mode stays untouched: the time of its
    last change says that nobody changed it since it was hashed.
    """
    for path in (folder, *folder.rglob("*")):
        is_file, has = path.is_file(), S_IMODE(path.stat().st_mode)
        is_read_only = is_file and not has & 0o200
        wanted = mode & (0o444 if is_read_only else 0o666 if is_file else 0o7777)
        if has != wanted:
            path.chmod(wanted)


def _replace_directory(temporary: Path, path: Path) -> None:
    """Make a complete directory take the place of another, on the disk too when it returns.

    The two change places in one step. Where the file system cannot do that the old one is set aside
    first, and whoever comes after a kill between the two renames puts it back.
    """
    for entry in (*temporary.rglob("*"), temporary):
        if entry.is_file() or entry.is_dir():
            flush_to_disk(entry)
    if not path.exists():
        temporary.rename(path)
    elif not _exchange(temporary, path):
        backup = path.with_name(f".{path.name}.old-{os.getpid()}")
        with _held(path):
            path.rename(backup)
            temporary.rename(path)
        shutil.rmtree(backup, ignore_errors=True)
    flush_to_disk(path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Make two paths change places in one step; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def flush_to_disk(path: Path) -> None:
    """Return when a file, or the names in a folder, would outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
