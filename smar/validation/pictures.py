"""What validation knows of every picture: whether it is blank, and which ones look the same.

Shapes: n pictures of H x W pixels; G x G x 3 thumbnails, flattened to T numbers; A projections.
"""

import logging
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.data.images import ImageStore
from smar.replace import write_file
from smar.validation import looks
from smar.validation.looks import AXES, group_looks, projected

logger = logging.getLogger(__name__)

_GRID = 8  # G
_NUMBERS = _GRID * _GRID * 3  # T
_VIEWS, _THUMBNAILS = _ENDINGS = (".views", ".looks")
_DIGEST = 32  # bytes of a SHA-256
_CHUNK = 1024
_HEADER = 1024  # bytes in which an array says what it is


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
    shard_of, place = store.places()
    seen = _KeptLooks(kept)
    bounds = (store.names, blank_below, same_below)
    facts = seen.facts_of(shard_of, place, bounds)
    if facts is not None:
        return facts
    views = np.empty((AXES, len(store)), np.float32).T  # as they are gathered of
    spread = np.empty(len(store), np.float32)
    for number, name in enumerate(store.names):
        ids = np.flatnonzero(shard_of == number)
        found = seen.of(name, store.pixels_of(number), _VIEWS)[place[ids]]
        views[ids], spread[ids] = found[:, :-1], found[:, -1]

    def thumbnails(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        some = np.empty((len(rows), _NUMBERS), np.float32)
        for number in np.unique(shard_of[rows]):
            here = np.flatnonzero(shard_of[rows] == number)
            of_shard = seen.of(store.names[number], store.pixels_of(number), _THUMBNAILS)
            some[here] = of_shard[place[rows[here]]]
        return some

    look = group_looks(views, thumbnails, _NUMBERS, same_below)
    facts = PictureFacts(blank=spread < blank_below, look=look)
    seen.keep(facts)
    seen.forget_others()
    return facts


def _closed(numbers: NDArray[np.number[Any]]) -> bytes:
    """Return numbers as bytes, their SHA-256 before them."""
    content = BytesIO()
    np.save(content, numbers, allow_pickle=False)
    return sha256(content.getvalue()).digest() + content.getvalue()


def _opened(file: Path) -> NDArray[Any]:
    """Return the numbers of `_closed`, as they lie in a file.

    Raises:
        FileNotFoundError: If there is none.
        OSError: If it cannot be read.
        ValueError: If they are not what was written.
    """
    whole = np.memmap(file, np.uint8, "r")
    if sha256(whole[_DIGEST:].data).digest() != whole[:_DIGEST].tobytes():
        raise ValueError("is damaged")
    header = BytesIO(whole[_DIGEST : _DIGEST + _HEADER].tobytes())
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError("is of another form")
    shape, _, kind = np.lib.format.read_array_header_1_0(header)
    return whole[_DIGEST + header.tell() :].view(kind).reshape(shape)


class _KeptLooks:
    """What shards look like, by their names: seen by an earlier run, or now.

    Args:
        folder: Where it is kept, None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._used: set[str] = set()
        self._seen = dict[tuple[str, str], NDArray[np.float32]]()
        code = b"".join(Path(module).read_bytes() for module in (__file__, looks.__file__))
        self._how = sha256(code + np.__version__.encode()).hexdigest()[:16]
        self._facts: Path | None = None

    def facts_of(
        self, shard_of: NDArray[np.int64], place: NDArray[np.int64], bounds: Any
    ) -> PictureFacts | None:
        """Return the facts of the same pictures in the same order, by the same bounds, if kept."""
        if self._folder is None:
            return None
        known = sha256(repr(bounds).encode())
        for numbers in (shard_of, place):
            known.update(np.ascontiguousarray(numbers).data)
        self._facts = self._folder / f"{known.hexdigest()[:16]}-{self._how}.facts"
        try:
            found = _opened(self._facts)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("%s: pictures are compared again: %s", self._facts, error)
            return None
        return PictureFacts(blank=found[0] == 1, look=np.array(found[1]))

    def keep(self, facts: PictureFacts) -> None:
        """Keep what `facts_of` was asked for, in place of what it kept before."""
        if self._facts is None or self._folder is None:
            return
        try:
            with write_file(self._facts) as temporary:
                temporary.write_bytes(_closed(np.stack([facts.blank.astype(np.int64), facts.look])))
        except OSError as error:
            logger.warning("%s: what was found is not remembered: %s", self._facts, error)
        for file in self._folder.glob("*.facts"):
            if file != self._facts:
                file.unlink(missing_ok=True)

    def of(self, name: str, pixels: NDArray[np.uint8], what: str) -> NDArray[np.float32]:
        """Return what a shard of p pictures looks like, by its ending.

        Args:
            name: Of the shard.
            pixels: Its pictures.
            what: `_VIEWS`, projections with the deviation behind them, [p, A + 1], or
                `_THUMBNAILS`, [p, T].
        """
        if (name, what) not in self._seen:
            self._seen[name, what] = self._read(name, pixels, what)
        return self._seen[name, what]

    def _read(self, name: str, pixels: NDArray[np.uint8], what: str) -> NDArray[np.float32]:
        if self._folder is None:
            self._seen |= {(name, each): found for each, found in _look_at(pixels).items()}
            return self._seen[name, what]
        files = {each: self._folder / f"{Path(name).stem}-{self._how}{each}" for each in _ENDINGS}
        self._used |= {file.name for file in files.values()}
        try:
            return _opened(files[what])
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.warning("%s: its pictures are looked at again: %s", files[what], error)
        found = _look_at(pixels)
        for each, file in files.items():
            try:
                with write_file(file) as temporary:
                    temporary.write_bytes(_closed(found[each]))
            except OSError as error:
                logger.warning("%s: what was seen is not remembered: %s", file, error)
        return found[what]

    def forget_others(self) -> None:
        """Remove what this run did not use."""
        if self._folder is not None and self._folder.is_dir():
            for file in self._folder.iterdir():
                if file.suffix in _ENDINGS and file.name not in self._used:
                    file.unlink(missing_ok=True)


def _look_at(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return what pictures look like, by its ending, some of them in memory at a time."""
    thumbnails = np.empty((len(pixels), _NUMBERS), np.float32)
    views = np.empty((len(pixels), AXES + 1), np.float32)
    for start in range(0, len(pixels), _CHUNK):
        part = slice(start, start + _CHUNK)
        some = np.asarray(pixels[part])
        thumbnails[part] = _thumbnails(some)
        views[part, :-1] = projected(thumbnails[part])
        views[part, -1] = _deviation(some[:, ::2, ::2])
    return {_VIEWS: views, _THUMBNAILS: thumbnails}


def _thumbnails(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return block means, [n, T], of pictures [n, H, W, 3]."""
    count, height, width = pixels.shape[:3]
    rows = np.linspace(0, height, _GRID, endpoint=False).astype(int)
    columns = np.linspace(0, width, _GRID, endpoint=False).astype(int)
    lines = pixels.reshape(count, height, width * 3)
    sums = np.empty((count, _GRID, width * 3), np.float32)
    for place, (start, end) in enumerate(pairwise([*rows, height])):
        sums[:, place] = lines[:, start:end].sum(axis=1, dtype=np.uint16)  # at most 257 rows
    sums = np.add.reduceat(sums.reshape(count, _GRID, width, 3), columns, axis=2)
    sizes = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    means = sums / sizes[None, :, :, None]
    return means.reshape(count, -1).astype(np.float32)


def _deviation(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the standard deviation of the channel that deviates most, [n], by whole numbers."""
    count, height, width = pixels.shape[:3]
    lines = pixels.reshape(count, height, width * 3).astype(np.uint16)

    def sums(of: NDArray[np.uint16]) -> NDArray[np.uint64]:
        by_column = of.sum(axis=1, dtype=np.uint32).reshape(count, width, 3)
        return by_column.sum(axis=1, dtype=np.uint64)

    mean, square = (sums(of) / (height * width) for of in (lines, lines * lines))
    return np.sqrt(np.maximum(square - mean**2, 0)).max(axis=1)
