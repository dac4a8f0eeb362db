"""Pictures in object stores (`s3://bucket/key`, `gs://`, `az://`, ...), read through fsspec.

Credentials are those of the machine, so that a feed may name what the operator named, and nothing
else.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from smar.errors import ParamsError
from smar.object_store import StoreError, explained, is_bucket
from smar.sources.picture_files import ENDINGS


def check_stores(stores: Sequence[str]) -> None:
    """Raise unless each is a bucket, or a folder of one.

    Raises:
        ParamsError: Names all that are not.
    """
    wrong = [store for store in stores if not is_bucket(store)]
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

    key = url.partition("://")[2]
    is_plain = "::" not in url and ".." not in PurePosixPath(key).parts
    if not (is_plain and any(url.startswith(f"{store.rstrip('/')}/") for store in stores)):
        raise StoreError("is in no store that may be read; smar fetch-pictures --store names them")
    with explained(url):
        files, path = fsspec.core.url_to_fs(url)
        if int(files.info(path)["size"] or 0) > max_bytes:
            raise StoreError(f"is larger than {max_bytes} bytes")
        content = files.cat_file(path)
    ending = PurePosixPath(key).suffix.lower()
    return bytes(content), ending if ending in ENDINGS else ""
