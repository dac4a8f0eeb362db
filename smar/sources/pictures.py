"""Pictures decoded once, letterboxed to one size, and packed into the picture store.

Shapes: n pictures of H x W pixels, uint8 RGB.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from smar.params import ClusterParams, ImageStoreParams
from smar.sources.decoded_pictures import DecodedPictures, Stamps
from smar.sources.picture_files import UNKNOWN, PictureFolder
from smar.sources.picture_list import PictureFile, PictureFiles
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


class Packed(NamedTuple):
    """A picture store that was written.

    Args:
        image_ids: One per file that was asked for, -1 for bad ones.
        stamps: Where they came from, which `decoded_pictures.remember` keeps.
        shards: Size and SHA-256 of each shard, by name, as a manifest has them.
    """

    image_ids: list[int]
    stamps: Stamps
    shards: dict[str, dict[str, Any]]


def pack_images(
    folder: Path,
    files: Iterable[PictureFile] | PictureFiles,
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
    files = PictureFiles.of(files)
    links, link_of = files.distinct_links()
    endings = np.zeros(len(links), bool)
    endings[link_of] = files.any_ending
    decoded = decoded or DecodedPictures()
    writer = ShardWriter(target, params.height, params.width, decoded.earlier)
    opened = PictureFolder.open(folder, roots)
    facts = opened.facts_of(links)
    contents, known = decoded.images_of(links, facts)
    source = PictureSource(opened, params, decoded, known)
    rest = np.flatnonzero(contents < 0).tolist()
    asked = [
        *zip(
            links.take(pa.array(rest, pa.int64())).to_pylist(), endings[rest].tolist(), strict=True
        )
    ]
    reasons: dict[int, str] = {}
    cut: set[int] = set()
    reads = read_pictures(source, asked, cluster)
    for place, (ask, first) in zip(
        rest, tqdm(reads, total=len(rest), desc="pictures", disable=None), strict=True
    ):
        # Pillow's leave to take a part is one for all threads: the others are done now.
        read = source.read(ask, allow_cut=True) if first.is_cut else first
        facts[place] = read.stamp.facts if read.stamp else UNKNOWN
        if not read.digest:
            reasons[place] = read.reason
            continue
        contents[place] = writer.add(ask[0], read.digest, read.pixels, read.size)
        if first.is_cut:
            cut.add(place)
            facts[place] = UNKNOWN
    image_of = writer.close(contents, links)
    _report(files, link_of, reasons, cut, quarantine)
    is_sure = (image_of >= 0) & (facts[:, 0] >= 0)
    stamps = Stamps(
        links,
        np.where(is_sure[:, None], decoded.trusted(facts), UNKNOWN),
        np.where(is_sure, image_of, -1),
    )
    return Packed(image_of[link_of].tolist(), stamps, writer.files)


def _report(
    files: PictureFiles,
    link_of: NDArray[np.int64],
    reasons: Mapping[int, str],
    cut: set[int],
    quarantine: Quarantine,
) -> None:
    quarantine.see(SOURCE, int(files.is_main.sum()))
    rows: dict[str, list[tuple[int, str, str, str, object]]] = defaultdict(list)
    told = np.isin(link_of, np.array([*reasons, *cut], np.int64))
    for place in np.flatnonzero(told).tolist():
        file, link = files[place], int(link_of[place])
        column = "image_link" if file.is_main else "additional_image_link"
        if link in reasons:
            source = SOURCE if file.is_main else FURTHER
            rows[source].append((file.row, file.item_id, column, reasons[link], file.link))
        else:
            rows[MARKED].append((file.row, file.item_id, column, _CUT, file.link))
    for source, found in rows.items():
        quarantine.put(source, found)


def drop_placeholders(
    files: Iterable[PictureFile] | PictureFiles,
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
    files = PictureFiles.of(files)
    if not min_items or not len(files):
        return list(image_ids)
    images, of_file = np.unique(np.asarray(image_ids, np.int64), return_inverse=True)
    often = (images >= 0) & (np.bincount(of_file) >= min_items)
    places = np.flatnonzero(often[of_file]).tolist()  # the others cannot be
    if not places:
        return list(image_ids)
    owners = files.item_ids.take(pa.array(places)).to_pylist()
    used = pd.DataFrame({"image": [image_ids[place] for place in places], "item_id": owners})
    about = items[items["item_id"].isin(owners)].set_index("item_id")
    used = used.join(about, on="item_id")
    used["kind"] = list(zip(used["brand"], used["category"], strict=True))
    used["group"] = used["group_id"].where(used["group_id"] != "", used["item_id"])
    counts = used.groupby("image")[["title", "kind", "group"]].nunique()
    is_shared = (counts["title"] >= min_items) & (counts["group"] >= min_items)
    found = {int(image) for image in counts.index[is_shared & (counts["kind"] > 1)]}
    if not found:
        return list(image_ids)
    quarantine.put(
        PLACEHOLDERS,
        [
            (file.row, file.item_id, "image_link", "stands for many different items", file.link)
            for file, image in zip(files, image_ids, strict=True)
            if image in found
        ],
    )
    return [-1 if image in found else image for image in image_ids]
