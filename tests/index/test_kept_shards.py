"""Files of an index that are taken over, hashed where somebody may have written to them."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from smar.index import kept_shards
from smar.index.kept_shards import FOLDER, KeptShards

NAME, KEY = "0123.faiss", "0123"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of what is kept, with a file that was written a minute ago."""
    file = tmp_path / "index" / FOLDER / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(b"vectors")
    os.utime(file, (time.time() - 60,) * 2)
    KeptShards.tell_hashed(tmp_path / "index")
    return tmp_path / "index"


def kept(folder: Path) -> KeptShards:
    facts = {"bytes": 7, "sha256": sha256(b"vectors").hexdigest()}
    return KeptShards.of(folder, {f"{FOLDER}/{NAME}": facts, "words/keys.npy": facts})


def test_file_that_nobody_wrote_to_is_linked_unread(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept_shards, "digest", None)
    for number in range(2):  # a link is no writing
        target = folder.parent / f"{number}.faiss"
        assert kept(folder).take(KEY, target) == {
            "bytes": 7,
            "sha256": sha256(b"vectors").hexdigest(),
        }
        assert target.read_bytes() == b"vectors"
    assert kept(folder).take("another", folder.parent / "2.faiss") is None


def test_file_that_was_touched_or_replaced_is_hashed(folder: Path):
    file, target = folder / FOLDER / NAME, folder.parent / "new.faiss"
    os.utime(file)
    assert not kept(folder).unwritten
    assert kept(folder).take(KEY, target)
    told = file.stat()
    file.unlink()
    file.write_bytes(b"VECTORS")  # of the same size and time, as a copy from elsewhere
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert kept(folder).take(KEY, folder.parent / "other.faiss") is None
    file.unlink()
    assert kept(folder).take(KEY, folder.parent / "none.faiss") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"0123.faiss": 3}'])
def test_record_that_is_damaged_or_of_another_form_tells_nothing(folder: Path, content: bytes):
    (folder.parent / "index.hashed.json").write_bytes(content)
    (folder / FOLDER / NAME).write_bytes(b"VECTORS")
    assert kept(folder).take(KEY, folder.parent / "new.faiss") is None


def test_file_that_has_just_been_written_is_not_told(folder: Path):
    (folder / FOLDER / NAME).write_bytes(b"vectors")
    KeptShards.tell_hashed(folder)
    assert not kept(folder).unwritten
