"""Pictures in object stores (`s3://bucket/key`, `gs://`, `az://`, ...), read through fsspec.

Credentials are those of the machine, so that a feed may name what the operator named, and nothing
else.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from smar.errors import ParamsError
from smar.sources.picture_files import ENDINGS

_NO_STORES = ("", "file", "local", "http", "https", "ftp", "sftp", "data")


class StoreError(Exception):
    """Why a picture could not be read; `is_passing` if it is worth trying again."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


def check_stores(stores: Sequence[str]) -> None:
    """Raise unless each is a bucket, or a folder of one.

    Raises:
        ParamsError: Names all that are not.
    """
    wrong = [store for store in stores if not _is_store(store)]
    if wrong:
        raise ParamsError(
            f"--store {', '.join(wrong)}: expected a bucket or a folder of one, such as "
            "s3://pictures-of-the-shop or gs://bucket/folder; nothing was fetched."
        )


def read_object(url: str, stores: Sequence[str], max_bytes: int) -> tuple[bytes, str]:
    """Return the bytes of a picture and the ending of its key ("" if that is no picture's).

    Args:
        url: Of the object.
        stores: Buckets, or folders of them, that may be read.
        max_bytes: A larger one is not read.

    Raises:
        StoreError: If it may not be read, is not there, or is too large.
    """
    import fsspec

    scheme, _, key = url.partition("://")
    is_plain = "::" not in url and ".." not in PurePosixPath(key).parts
    if not (is_plain and any(url.startswith(f"{store.rstrip('/')}/") for store in stores)):
        raise StoreError("is in no store that may be read; smar fetch-pictures --store names them")
    try:
        files, path = fsspec.core.url_to_fs(url)
        if int(files.info(path)["size"] or 0) > max_bytes:
            raise StoreError(f"is larger than {max_bytes} bytes")
        content = files.cat_file(path)
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise StoreError("is not in the store") from error
    except PermissionError as error:
        raise StoreError("may not be read with this machine's credentials") from error
    except (ImportError, ValueError) as error:  # fsspec says which package reads such a store
        raise StoreError(f"cannot be read: {str(error).splitlines()[0]:.200}") from error
    except Exception as error:  # each store has errors of its own
        reason = f"the store of {scheme}:// did not answer: {type(error).__name__}"
        raise StoreError(reason, is_passing=True) from error
    ending = PurePosixPath(key).suffix.lower()
    return bytes(content), ending if ending in ENDINGS else ""


def is_object(url: str) -> bool:
    """Return whether a URL names an object of a store."""
    return url.partition("://")[0].lower() not in _NO_STORES and "://" in url


def _is_store(store: str) -> bool:
    return is_object(store) and bool(store.partition("://")[2].strip("/"))
