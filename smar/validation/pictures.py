"""What validation knows of every picture: whether it is blank, and which ones look the same.

Shapes: n pictures of H x W pixels; G x G x 3 thumbnails, flattened to T numbers.
"""

import logging
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.data.images import ImageStore
from smar.replace import write_file
from smar.validation.looks import group_looks

logger = logging.getLogger(__name__)

_GRID = 8  # G
_DIGEST = 32  # bytes of a SHA-256
_CHUNK = 1024


@dataclass(frozen=True)
class PictureFacts:
    """Facts by image id.

    Args:
        blank: Whether the picture is of one colour, [n].
        look: Number of its look; pictures that look the same have the same one, [n].
    """

    blank: NDArray[np.bool_]
    look: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.look)


def read_picture_facts(
    store: ImageStore, blank_below: float, same_below: float, kept: Path | None = None
) -> PictureFacts:
    """Return the facts of every picture of a store.

    Two pictures look the same when the root mean square difference of their thumbnails is below a
    bound: a picture saved again, scaled or compressed otherwise, still looks the same.

    Args:
        store: The pictures.
        blank_below: A picture whose pixels deviate less than this from their mean is blank (0-255).
        same_below: Bound of the difference (0-255).
        kept: Where it is kept what shards look like, which are named by their content and never
            change; None to look at all. It may be deleted at any time.
    """
    thumbnails = np.empty((len(store), _GRID * _GRID * 3), np.float32)  # [n, T]
    spread = np.empty(len(store), np.float32)
    shard_of, place = store.places()
    looks = _KeptLooks(kept)
    for number, (name, pixels) in enumerate(zip(store.names, store.shards, strict=True)):
        ids = np.flatnonzero(shard_of == number)
        small, deviation = looks.of(name, pixels)
        thumbnails[ids], spread[ids] = small[place[ids]], deviation[place[ids]]
    looks.forget_others()
    return PictureFacts(blank=spread < blank_below, look=group_looks(thumbnails, same_below))


def _closed(numbers: NDArray[np.float32]) -> bytes:
    """Return numbers as bytes, their SHA-256 before them."""
    content = BytesIO()
    np.save(content, numbers, allow_pickle=False)
    return sha256(content.getvalue()).digest() + content.getvalue()


def _opened(content: bytes) -> NDArray[np.float32]:
    """Return the numbers of `_closed`.

    Raises:
        ValueError: If they are not what was written.
    """
    if sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        raise ValueError("is damaged")
    numbers: NDArray[np.float32] = np.load(BytesIO(content[_DIGEST:]), allow_pickle=False)
    return numbers


class _KeptLooks:
    """What shards look like, by their names: seen by an earlier run, or now.

    Args:
        folder: Where it is kept, None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._used: set[str] = set()
        code = Path(__file__).read_bytes()
        self._how = sha256(code + np.__version__.encode()).hexdigest()[:16]

    def of(
        self, name: str, pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return thumbnails, [p, T], and deviations, [p], of a shard of p pictures."""
        if self._folder is None:
            return _look_at(pixels)
        file = self._folder / f"{Path(name).stem}-{self._how}.looks"
        self._used.add(file.name)
        try:
            seen = _opened(file.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.warning("%s: its pictures are looked at again: %s", file, error)
        else:
            return seen[:, :-1], seen[:, -1]
        thumbnails, spread = _look_at(pixels)
        try:
            with write_file(file) as temporary:
                temporary.write_bytes(_closed(np.column_stack([thumbnails, spread])))
        except OSError as error:
            logger.warning("%s: what was seen is not remembered: %s", file, error)
        return thumbnails, spread

    def forget_others(self) -> None:
        """Remove what this run did not use."""
        if self._folder is not None and self._folder.is_dir():
            for file in self._folder.glob("*.looks"):
                if file.name not in self._used:
                    file.unlink(missing_ok=True)


def _look_at(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return thumbnails and deviations of pictures, some of them in memory at a time."""
    thumbnails = np.empty((len(pixels), _GRID * _GRID * 3), np.float32)
    spread = np.empty(len(pixels), np.float32)
    for start in range(0, len(pixels), _CHUNK):
        part = slice(start, start + _CHUNK)
        some = np.asarray(pixels[part])
        thumbnails[part] = _thumbnails(some)
        spread[part] = some[:, ::2, ::2].std(axis=(1, 2), dtype=np.float32).max(axis=1)
    return thumbnails, spread


def _thumbnails(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return block means, [n, T], of pictures [n, H, W, 3]."""
    height, width = pixels.shape[1:3]
    rows = np.linspace(0, height, _GRID, endpoint=False).astype(int)
    columns = np.linspace(0, width, _GRID, endpoint=False).astype(int)
    sums = np.add.reduceat(pixels.astype(np.float32), rows, axis=1)
    sums = np.add.reduceat(sums, columns, axis=2)
    sizes = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    means = sums / sizes[None, :, :, None]
    return means.reshape(len(pixels), -1).astype(np.float32)
