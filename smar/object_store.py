"""Files in an object store (`s3://bucket/folder`, `gs://`, `az://`, ...) or a folder, by fsspec.

Credentials are those of the machine, as the package of each kind of store finds them.
"""

import errno
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from smar.replace import write_file

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

_NO_STORES = ("", "file", "local", "http", "https", "ftp", "sftp", "data")
_SECRET = re.compile("://[^/@]*:[^/@]*@")
_OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_TRIES = 3
_WAIT_S = 1.0


class StoreError(Exception):
    """Why an object could not be had or put; `is_passing` if it is worth trying again."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


def is_object(url: str) -> bool:
    """Return whether a URL names an object of a store, or a bucket."""
    return url.partition("://")[0].lower() not in _NO_STORES and "://" in url


def is_bucket(url: str) -> bool:
    """Return whether a URL names a bucket of a store, or a folder of one."""
    return is_object(url) and bool(url.partition("://")[2].strip("/"))


def problems_of(url: str) -> list[str]:
    """Return what keeps a URL from naming a place for files, empty if nothing does."""
    is_place = is_bucket(url) or url.startswith(("/", "file:///"))
    path = PurePosixPath(url.partition("://")[2] or url)
    problems = []
    if not is_place:
        problems.append(
            f"{url!r} is no place for files; expected a bucket or a folder of one, such as "
            "s3://bucket/folder, or an absolute folder"
        )
    if "::" in url or ".." in path.parts:
        problems.append(f"{url!r}: a chain of stores, or a way up with '..', is no place for files")
    if _SECRET.search(url):
        problems.append("holds a password; credentials are those of the machine, never parameters")
    return problems


@contextmanager
def explained(url: str, *, writing: bool = False) -> Iterator[None]:
    """Give what a store raises as the reason why an object cannot be had, or put.

    Args:
        url: Of the object, or its store.
        writing: Whether it is put.

    Raises:
        StoreError: In place of everything but a disk of this machine that is full.
    """
    verb = "written" if writing else "read"
    try:
        yield
    except StoreError:
        raise
    except FileNotFoundError as error:
        gone = "there is no such bucket or folder" if writing else "is not in the store"
        raise StoreError(gone) from error
    except PermissionError as error:
        raise StoreError(f"may not be {verb} with this machine's credentials") from error
    except (ImportError, ValueError) as error:  # fsspec says which package reads such a store
        raise StoreError(f"cannot be {verb}: {_first_line(error)}") from error
    except Exception as error:  # each store has errors of its own
        if isinstance(error, OSError) and error.errno in _OF_DISK:
            raise
        if "Credential" in type(error).__name__:
            reason = f"this machine has no credentials for the store ({_first_line(error)})"
            raise StoreError(reason) from error
        scheme = url.partition("://")[0]
        reason = f"the store of {scheme}:// did not answer: {type(error).__name__}"
        raise StoreError(reason, is_passing=True) from error


def _first_line(error: Exception) -> str:
    return f"{(str(error).splitlines() or [''])[0]:.200}"


@dataclass(frozen=True)
class ObjectStore:
    """A place for files by their names; what passes is tried three times.

    A file appears whole where the kind of store lets objects appear whole, as all but a few do, and
    in a folder.

    Args:
        url: Of the place, one without `problems_of`.
    """

    url: str

    def url_of(self, name: str) -> str:
        """Return the URL of a file."""
        return f"{self.url.rstrip('/')}/{name}"

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file, None if it is not there.

        Raises:
            StoreError: If the store does not say.
        """

        def ask(files: Any, path: str) -> int | None:
            try:
                return int(files.info(path)["size"] or 0)
            except FileNotFoundError:
                return None

        return self._patiently(name, ask)

    def put(self, file: Path, name: str) -> None:
        """Write a file into the store, in place of what is there.

        Raises:
            StoreError: If it cannot be.
        """

        def put(files: Any, path: str) -> None:
            if not _is_local(files):
                files.put_file(str(file), path)
            elif not Path(path).parent.is_dir():  # perhaps a disk that is not mounted
                raise FileNotFoundError(path)
            else:
                with write_file(Path(path)) as temporary:
                    files.put_file(str(file), str(temporary))

        self._patiently(name, put, writing=True)

    def get(self, name: str, file: Path) -> None:
        """Read a file of the store into one of this machine.

        Raises:
            StoreError: If it cannot be.
        """
        self._patiently(name, lambda files, path: files.get_file(path, str(file)))

    def _patiently(
        self, name: str, act: Callable[[Any, str], Found], *, writing: bool = False
    ) -> Found:
        for tried in range(1, _TRIES + 1):
            try:
                with explained(self.url, writing=writing):
                    import fsspec

                    return act(*fsspec.core.url_to_fs(self.url_of(name)))
            except StoreError as error:
                if not error.is_passing or tried == _TRIES:
                    raise
                logger.warning("%s: %s; trying again", self.url_of(name), error)
                time.sleep(_WAIT_S * 2 ** (tried - 1))
        raise AssertionError  # the last try returns or raises


def _is_local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
