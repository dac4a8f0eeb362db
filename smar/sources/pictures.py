"""Pictures decoded once, letterboxed to one size, and packed into the picture store.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from smar.data import images
from smar.params import ImageStoreParams
from smar.sources.quarantine import Quarantine

_CHUNK = 512
_MAX_BYTES = 64 * 2**20
# What browsers show. Pillow reads more, and some of it (EPS) by starting other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


@dataclass(frozen=True)
class PictureFile:
    """One picture of one item, as the feed names it.

    Args:
        item_id: The item.
        row: Row of the feed.
        link: Path relative to the feed's folder.
    """

    item_id: str
    row: int
    link: str


@dataclass(frozen=True)
class _Read:
    """A decoded picture, or the reason why there is none."""

    digest: str = ""
    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    reason: str = ""


def pack_images(
    folder: Path,
    files: Sequence[PictureFile],
    target: Path,
    params: ImageStoreParams,
    quarantine: Quarantine,
) -> list[int]:
    """Write shards and their table into `target`; return one image id per file, -1 for bad ones.

    Files of equal bytes are stored once. Only files inside `folder` are read; nothing is fetched.
    """
    links = list(dict.fromkeys(file.link for file in files))
    writer = _ShardWriter(target, params)
    ids: dict[str, int] = {}
    reasons: dict[str, str] = {}
    root = folder.resolve()
    with ThreadPoolExecutor() as pool, tqdm(total=len(links), desc="pictures", disable=None) as bar:
        for start in range(0, len(links), _CHUNK):
            chunk = links[start : start + _CHUNK]
            for link, read in zip(
                chunk, pool.map(lambda name: _read(root, name, params), chunk), strict=True
            ):
                if read.pixels is None:
                    reasons[link] = read.reason
                else:
                    ids[link] = writer.add(link, read.digest, read.pixels, read.size)
            bar.update(len(chunk))
    writer.close()
    quarantine.see("pictures", len(files))
    quarantine.put(
        "pictures",
        (
            (file.row, file.item_id, "image_link", reasons[file.link], file.link)
            for file in files
            if file.link in reasons
        ),
    )
    return [ids.get(file.link, -1) for file in files]


class _ShardWriter:
    """Writes pictures shard by shard, so that memory holds one shard only."""

    def __init__(self, target: Path, params: ImageStoreParams) -> None:
        self._target = target
        self._buffer = np.empty((images.SHARD_SIZE, params.height, params.width, 3), np.uint8)
        self._rows: list[dict[str, object]] = []
        self._by_digest: dict[str, int] = {}

    def add(self, link: str, digest: str, pixels: NDArray[np.uint8], size: tuple[int, int]) -> int:
        """Return the image id of a picture, a new one unless its bytes are known."""
        if digest in self._by_digest:
            return self._by_digest[digest]
        number = len(self._rows)
        self._by_digest[digest] = number
        self._buffer[number % images.SHARD_SIZE] = pixels
        row = {"sha256": digest, "source": link, "width": size[0], "height": size[1]}
        self._rows.append({"image_id": number, **row})
        if len(self._rows) % images.SHARD_SIZE == 0:
            self._write(images.SHARD_SIZE)
        return number

    def close(self) -> None:
        """Write the last shard and the table."""
        rest = len(self._rows) % images.SHARD_SIZE
        if rest:
            self._write(rest)
        names = ["image_id", "sha256", "source", "width", "height"]
        table = pd.DataFrame(self._rows, columns=names)
        table = table.astype({"image_id": "int64", "width": "int64", "height": "int64"})
        table.to_parquet(self._target / images.TABLE, index=False)

    def _write(self, count: int) -> None:
        number = (len(self._rows) - 1) // images.SHARD_SIZE
        np.save(self._target / f"shard-{number:05d}.npy", self._buffer[:count], allow_pickle=False)


def _read(root: Path, link: str, params: ImageStoreParams) -> _Read:
    if link.lower().startswith(("http://", "https://", "ftp://", "//", "data:")):
        return _Read(reason="is a URL; only files are read")
    try:
        path = (root / link).resolve()
        if Path(link).is_absolute() or not path.is_relative_to(root):
            return _Read(reason="leaves the feed's folder")
        if not path.is_file():
            return _Read(reason="file is missing")
        if path.stat().st_size > _MAX_BYTES:
            return _Read(reason=f"file is larger than {_MAX_BYTES // 2**20} MiB")
        content = path.read_bytes()
    except (OSError, ValueError):
        return _Read(reason="file cannot be read")
    return _decode(content, params)


@cache
def _formats() -> list[str]:
    """Return the formats that this build of Pillow has."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _decode(content: bytes, params: ImageStoreParams) -> _Read:
    too_large = f"has more than {params.max_pixels} pixels"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content), formats=_formats())
        size = image.size
        reason = ""
        if size[0] * size[1] > params.max_pixels:
            reason = too_large
        elif getattr(image, "is_animated", False):
            reason = "is animated"
        elif image.mode == "CMYK":
            reason = "is CMYK, expected RGB"
        if reason:
            return _Read(reason=reason)
        pixels = _letterbox(image, params.height, params.width)
    except Image.DecompressionBombError:
        return _Read(reason=too_large)
    except UnidentifiedImageError:
        return _Read(reason="is not a picture")
    except (OSError, ValueError, SyntaxError, EOFError):
        return _Read(reason="is corrupt")
    return _Read(sha256(content).hexdigest(), pixels, size)


def _letterbox(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Return the whole picture on white, upright, scaled to fit [height, width, 3]."""
    if image.format == "JPEG":
        image.draft("RGB", (2 * width, 2 * height))
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    scale = min(width / upright.width, height / upright.height)
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    if size != upright.size:
        upright = upright.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    canvas = Image.new("RGBA", (width, height), (255, 255, 255, 255))
    canvas.alpha_composite(upright, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.asarray(canvas.convert("RGB"))
