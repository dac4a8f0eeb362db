"""What the event log acknowledged is read back by ingest, whatever happens to the process."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from smar.service import event_files
from smar.service.event_files import LogBusyError, LogFullError, adopt
from smar.service.event_log import EventLog, LogLimits

SMALL = LogLimits(free_bytes=0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = EventLog(tmp_path / "raw", tmp_path / "spool", SMALL)
    yield opened
    opened.close()


def numbers(folder: Path) -> list[int]:
    """Return the numbers of all records in the files of a folder."""
    lines = [line for path in sorted(folder.glob("*")) for line in path.read_bytes().splitlines()]
    return [json.loads(line)["number"] for line in lines]


def settled(log: EventLog) -> None:
    """Wait until the log's thread has done what there is to do."""
    until = time.monotonic() + 5
    while (log.unsynced_bytes or log._turned) and time.monotonic() < until:
        time.sleep(0.005)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the operating system refuse files that are larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_open_files_are_not_where_ingest_reads(log: EventLog):
    log.synced(log.append([{"number": 1}, {"number": 2}])).result(5)
    assert numbers(log.folder) == []
    assert numbers(log.spool) == [1, 2]
    closed = log.close_file()
    assert closed is not None
    assert closed.parent == log.folder
    assert (numbers(log.folder), numbers(log.spool)) == ([1, 2], [])
    assert log.close_file() is None
    log.append([{"number": 3}])
    log.close()
    assert numbers(log.folder) == [1, 2, 3]
    with pytest.raises(LogBusyError, match="closed"):
        log.append([{"number": 4}])


def test_files_sort_as_they_were_made(log: EventLog, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_files, "_numbers", count(8))  # 9 and 10, in one second
    for number in range(5):
        log.append([{"number": number}])
        log.close_file()
    assert numbers(log.folder) == [0, 1, 2, 3, 4]


def test_those_who_wait_together_share_one_sync(log: EventLog, monkeypatch: pytest.MonkeyPatch):
    calls: list[int] = []
    hold = threading.Event()

    def slow(descriptor: int) -> None:
        calls.append(descriptor)
        assert hold.wait(5)

    log.synced(log.append([{"number": -1}])).result(5)
    monkeypatch.setattr(event_files.os, "fsync", slow)
    first = log.synced(log.append([{"number": 0}]))
    while not calls:
        pass  # the first sync is under way
    rest = [log.synced(log.append([{"number": n}])) for n in range(1, 50)]
    assert not first.done()
    hold.set()
    for future in (first, *rest):
        future.result(5)
    assert len(calls) == 2


def test_many_threads_lose_and_mix_nothing(log: EventLog):
    def work(start: int) -> None:
        for number in range(start, start + 100):
            log.synced(log.append([{"number": number, "text": "x" * 300}])).result(10)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(numbers(log.folder)) == [1000 * n + k for n in range(4) for k in range(100)]


WRITER = """
import sys
from pathlib import Path
from smar.service.event_log import EventLog, LogLimits
log = EventLog(Path(sys.argv[1]), Path(sys.argv[2]), LogLimits(free_bytes=0))
number = 0
while True:
    log.synced(log.append([{"number": number + k, "text": "x" * 999} for k in range(20)])).result()
    number += 20
    print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path):
    raw, spool = tmp_path / "raw", tmp_path / "spool"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, raw, spool], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 200:
        acknowledged = int(process.stdout.readline())
    assert adopt(spool, raw) == []  # its writer lives
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split("\n")
    process.wait()
    process.stdout.close()
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1] if line)])
    with next(spool.iterdir()).open("ab") as file:
        file.write(b'{"number": 77777, "text": "cut he')  # as a machine that went down leaves it
    EventLog(raw, spool, SMALL).close()
    assert list(spool.iterdir()) == []
    found = numbers(raw)
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged


def test_empty_file_of_a_killed_process_goes(tmp_path: Path):
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "ubi-2026-11-28-101502-1-1.ndjson").write_bytes(b'{"cut": ')
    assert adopt(spool, tmp_path / "raw") == []
    assert list(spool.iterdir()) == []


def test_file_that_another_process_took_before_it_was_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    raw, spool = tmp_path / "raw", tmp_path / "spool"
    log, lock, taken = EventLog(raw, spool, SMALL), event_files.fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not taken:
            taken.extend(spool.iterdir())
            adopt(spool, raw)  # empty and not locked: it goes
        lock(descriptor, how)

    monkeypatch.setattr(event_files.fcntl, "flock", late)
    log.synced(log.append([{"number": 1}])).result(5)
    log.close()
    assert len(taken) == 1
    assert numbers(raw) == [1]


def test_full_disk_refuses_whole_batches_and_the_log_lives(log: EventLog):
    log.append([{"number": 0}])
    size = next(log.spool.iterdir()).stat().st_size
    with largest_file(size + 20), pytest.raises(LogFullError, match="Free space"):
        log.append([{"number": number} for number in range(1, 100)])
    log.synced(log.append([{"number": 100}])).result(5)
    log.close()
    assert numbers(log.folder) == [0, 100]


def test_log_tells_that_a_disk_is_full_of_which_nothing_is_kept_free(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    assert log.room() == ""
    usage = SimpleNamespace(free=0)
    monkeypatch.setattr("smar.service.event_log.shutil.disk_usage", lambda _: usage)
    assert "0 bytes are free on the disk" in log.room()


def test_log_keeps_to_its_limits(tmp_path: Path):
    raw, spool = tmp_path / "raw", tmp_path / "spool"
    with EventLogs(raw, spool, LogLimits(free_bytes=0, total_bytes=100)) as log:
        log.append([{"number": 1, "text": "x" * 60}])
        with pytest.raises(LogFullError, match="its limit is 100"):
            log.append([{"number": 2, "text": "x" * 60}])
        assert log.room() == ""
    with EventLogs(raw, spool, LogLimits(free_bytes=1 << 60)) as log:
        with pytest.raises(LogFullError, match="are kept free"):
            log.append([{"number": 2}])
        assert "kept free" in log.room()
    with EventLogs(raw, spool, LogLimits(free_bytes=0, file_bytes=50)) as log:
        for number in (2, 3, 4):
            log.append([{"number": number, "text": "x" * 60}])
        settled(log)
        # The first, two that were large enough, and the last where the thread has found it so.
        assert len(list(raw.iterdir())) in {3, 4}
    assert sorted(numbers(raw)) == [1, 2, 3, 4]


def test_file_is_closed_when_its_day_is_over(log: EventLog, monkeypatch: pytest.MonkeyPatch):
    log.append([{"number": 1}])
    monkeypatch.setattr(event_files.OpenFile, "is_due", lambda *_: True)
    log.append([{"number": 2}])
    until = time.monotonic() + 5
    while numbers(log.spool) and time.monotonic() < until:
        time.sleep(0.01)
    assert numbers(log.folder) == [1, 2]


def test_nobody_waits_for_a_file_to_be_closed(log: EventLog, monkeypatch: pytest.MonkeyPatch):
    close, begun, go = event_files.OpenFile.close_into, threading.Event(), threading.Event()

    def slow(file: event_files.OpenFile, folder: Path) -> Path:
        begun.set()
        assert go.wait(5)
        return close(file, folder)

    log.append([{"number": 1}])
    with monkeypatch.context() as patch:
        patch.setattr(event_files.OpenFile, "close_into", slow)
        closing = threading.Thread(target=log.close_file)
        closing.start()
        assert begun.wait(5)
        future = log.synced(log.append([{"number": 2}]))
        time.sleep(0.05)
        assert not future.done()  # the first is not on the disk yet
        go.set()
        closing.join()
        future.result(5)
    assert (numbers(log.folder), numbers(log.spool)) == ([1], [2])


def test_files_that_cannot_be_closed_are_told_and_taken_over_later(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    def broken(file: event_files.OpenFile, _: Path) -> Path:
        file.abandon()
        raise OSError(5, "Input/output error")

    log.append([{"number": 1}])
    with monkeypatch.context() as patch:
        patch.setattr(event_files.OpenFile, "close_into", broken)
        with pytest.raises(OSError, match="Input/output"):
            log.close_file()
    log.synced(log.append([{"number": 2}])).result(5)
    adopt(log.spool, log.folder)
    assert (numbers(log.folder), numbers(log.spool)) == ([1], [2])


def test_failed_sync_is_told_and_the_next_file_goes_on(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    ticket = log.append([{"number": 1}])
    log.synced(ticket).result(5)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(event_files.os, "fsync", broken)
        future = log.synced(log.append([{"number": 2}]))
        with pytest.raises(LogFullError, match="Input/output error"):
            future.result(5)
    log.synced(log.append([{"number": 3}])).result(5)
    log.close()
    adopt(log.spool, log.folder)
    assert sorted(numbers(log.folder)) == [1, 2, 3]


class EventLogs(EventLog):
    """A log that is closed at the end of a block."""

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_what_nobody_waits_for_is_synced_a_few_times_a_second(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
):
    sync, syncs = event_files.OpenFile.sync, []

    def counted(file: event_files.OpenFile) -> None:
        syncs.append(time.monotonic())
        sync(file)

    monkeypatch.setattr(event_files.OpenFile, "sync", counted)
    start, written = time.monotonic(), 0
    while time.monotonic() - start < 0.35:
        log.append([{"number": written}])
        written += 1
        time.sleep(0.005)
    seen = len(syncs)
    assert 1 <= seen <= 5 < written
    while log.unsynced_bytes and time.monotonic() - start < 5:
        time.sleep(0.01)
    assert not log.unsynced_bytes
