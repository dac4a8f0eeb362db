"""Pictures decoded once, letterboxed to one size, and packed into the picture store.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from smar.data import images
from smar.params import ImageStoreParams
from smar.sources.picture_decoding import PictureCutError, PictureError, decode
from smar.sources.picture_files import PictureFolder, PictureMissingError
from smar.sources.quarantine import Quarantine

SOURCE = "pictures"
# No item goes without because of these: they are counted, and never too many.
FURTHER = "further pictures"
MARKED = "pictures marked"
PLACEHOLDERS = "placeholder pictures"
_CHUNK = 512
_CUT = "is cut short; what is there is used"


@dataclass(frozen=True)
class PictureFile:
    """One picture of one item, as the feed names it.

    Args:
        item_id: The item.
        row: Row of the feed.
        link: Path relative to the feed's folder, or a URL.
        is_main: Whether it is the item's first picture.
        any_ending: Whether a file with another ending will do.
    """

    item_id: str
    row: int
    link: str
    is_main: bool = True
    any_ending: bool = False


@dataclass(frozen=True)
class _Read:
    """A decoded picture, or the reason why there is none."""

    digest: str = ""
    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    reason: str = ""
    is_cut: bool = False


def pack_images(
    folder: Path,
    files: Sequence[PictureFile],
    target: Path,
    params: ImageStoreParams,
    quarantine: Quarantine,
    roots: Sequence[str] = (),
) -> list[int]:
    """Write shards and their table into `target`; return one image id per file, -1 for bad ones.

    Files of equal bytes are stored once. Only files inside `folder`, or `roots` where a link of the
    file system leads there, are read; nothing is fetched.
    """
    wanted = {file.link: file.any_ending for file in files}
    links = list(wanted)
    writer = _ShardWriter(target, params)
    ids: dict[str, int] = {}
    reasons: dict[str, str] = {}
    cut: set[str] = set()
    source = PictureFolder.open(folder, roots)
    with ThreadPoolExecutor() as pool, tqdm(total=len(links), desc="pictures", disable=None) as bar:
        for start in range(0, len(links), _CHUNK):
            chunk = links[start : start + _CHUNK]
            reads = list(pool.map(lambda name: _read(source, name, wanted[name], params), chunk))
            for link, first in zip(chunk, reads, strict=True):
                # Pillow's leave to take a part is one for all threads: the others are done now.
                read = _read(source, link, wanted[link], params, True) if first.is_cut else first
                if read.pixels is None:
                    reasons[link] = read.reason
                    continue
                ids[link] = writer.add(link, read.digest, read.pixels, read.size)
                cut |= {link} if first.is_cut else set()
            bar.update(len(chunk))
    writer.close()
    _report(files, reasons, cut, quarantine)
    return [ids.get(file.link, -1) for file in files]


def _report(
    files: Sequence[PictureFile], reasons: dict[str, str], cut: set[str], quarantine: Quarantine
) -> None:
    quarantine.see(SOURCE, sum(file.is_main for file in files))
    rows: dict[str, list[tuple[int, str, str, str, object]]] = defaultdict(list)
    for file in files:
        column = "image_link" if file.is_main else "additional_image_link"
        if file.link in reasons:
            source = SOURCE if file.is_main else FURTHER
            rows[source].append((file.row, file.item_id, column, reasons[file.link], file.link))
        elif file.link in cut:
            rows[MARKED].append((file.row, file.item_id, column, _CUT, file.link))
    for source, found in rows.items():
        quarantine.put(source, found)


def drop_placeholders(
    files: Sequence[PictureFile],
    image_ids: Sequence[int],
    items: pd.DataFrame,
    min_items: int,
    quarantine: Quarantine,
) -> list[int]:
    """Return image ids without pictures that say "no picture": -1 in their place.

    Such a picture stands for at least `min_items` items of different titles, of more than one brand
    or category, and not of one group. What a shop shows for variants of one thing is none.

    Args:
        files: The pictures the feed names.
        image_ids: Where they are stored, -1 if nowhere.
        items: Columns item_id, title, brand, category, group_id.
        min_items: 0 keeps all.
        quarantine: Where they are counted.
    """
    if not min_items or not files:
        return list(image_ids)
    about = items.set_index("item_id")
    used = pd.DataFrame({"image": image_ids, "item_id": [file.item_id for file in files]})
    used = used[used["image"] >= 0].join(about, on="item_id")
    used["kind"] = list(zip(used["brand"], used["category"], strict=True))
    used["group"] = used["group_id"].where(used["group_id"] != "", used["item_id"])
    counts = used.groupby("image")[["title", "kind", "group"]].nunique()
    is_shared = (counts["title"] >= min_items) & (counts["group"] >= min_items)
    found = {int(image) for image in counts.index[is_shared & (counts["kind"] > 1)]}
    quarantine.put(
        PLACEHOLDERS,
        [
            (file.row, file.item_id, "image_link", "stands for many different items", file.link)
            for file, image in zip(files, image_ids, strict=True)
            if image in found
        ],
    )
    return [-1 if image in found else image for image in image_ids]


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


def _read(
    source: PictureFolder,
    link: str,
    any_ending: bool,
    params: ImageStoreParams,
    allow_cut: bool = False,
) -> _Read:
    try:
        content = source.read(link, any_ending=any_ending)
        pixels, size = decode(
            content, params.height, params.width, params.max_pixels, allow_cut=allow_cut
        )
    except PictureCutError as error:
        return _Read(reason=str(error), is_cut=True)
    except (PictureMissingError, PictureError) as error:
        return _Read(reason=str(error))
    return _Read(sha256(content).hexdigest(), pixels, size)
