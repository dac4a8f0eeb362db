"""Pictures decoded once, letterboxed to one size, and packed into the picture store.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from smar.params import ClusterParams, ImageStoreParams
from smar.sources.decoded_pictures import DecodedPictures, Stamps
from smar.sources.picture_files import PictureFolder
from smar.sources.picture_reading import PictureSource, read_pictures
from smar.sources.picture_shards import ShardWriter
from smar.sources.quarantine import Quarantine

SOURCE = "pictures"
# No item goes without because of these: they are counted, and never too many.
FURTHER = "further pictures"
MARKED = "pictures marked"
PLACEHOLDERS = "placeholder pictures"
_HERE = ClusterParams()
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


class Packed(NamedTuple):
    """A picture store that was written.

    Args:
        image_ids: One per file that was asked for, -1 for bad ones.
        stamps: Where the good ones came from, which `decoded_pictures.remember` keeps.
        shards: Size and SHA-256 of each shard, by name, as a manifest has them.
    """

    image_ids: list[int]
    stamps: Stamps
    shards: dict[str, dict[str, Any]]


def pack_images(
    folder: Path,
    files: Sequence[PictureFile],
    target: Path,
    params: ImageStoreParams,
    quarantine: Quarantine,
    roots: Sequence[str] = (),
    decoded: DecodedPictures | None = None,
    cluster: ClusterParams = _HERE,
) -> Packed:
    """Write shards and their table into `target`.

    Files of equal bytes are stored once. Only files inside `folder`, or `roots` where a link of the
    file system leads there, are read; nothing is fetched. A cluster decodes what is read here, so
    that its machines need no file of the shop.
    """
    wanted = {file.link: file.any_ending for file in files}
    links = list(wanted)
    decoded = decoded or DecodedPictures()
    writer = ShardWriter(target, params.height, params.width, decoded.earlier)
    ids: dict[str, int] = {}
    reasons: dict[str, str] = {}
    cut: set[str] = set()
    stamps: Stamps = {}
    source = PictureSource(PictureFolder.open(folder, roots), wanted, params, decoded)
    reads = read_pictures(source, links, cluster)
    for link, first in tqdm(reads, total=len(links), desc="pictures", disable=None):
        # Pillow's leave to take a part is one for all threads: the others are done now.
        read = source.read(link, allow_cut=True) if first.is_cut else first
        if not read.digest:
            reasons[link] = read.reason
            continue
        ids[link] = writer.add(link, read.digest, read.pixels, read.size)
        if first.is_cut:
            cut.add(link)
        elif read.stamp is not None:
            stamps[link] = decoded.trusted(read.stamp), read.digest
    writer.close()
    _report(files, reasons, cut, quarantine)
    return Packed([ids.get(file.link, -1) for file in files], stamps, writer.files)


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
    images, of_file = np.unique(np.asarray(image_ids, np.int64), return_inverse=True)
    often = (images >= 0) & (np.bincount(of_file) >= min_items)
    places = np.flatnonzero(often[of_file]).tolist()  # the others cannot be
    if not places:
        return list(image_ids)
    owners = [files[place].item_id for place in places]
    used = pd.DataFrame({"image": [image_ids[place] for place in places], "item_id": owners})
    about = items[items["item_id"].isin(owners)].set_index("item_id")
    used = used.join(about, on="item_id")
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
