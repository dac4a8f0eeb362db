"""The items of a data set with their pictures, ready to be encoded by a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from smar.artifacts import Manifest, write_directory
from smar.data import schema
from smar.data.images import KIND, ImageStore
from smar.datasets.dataset import Dataset, Source
from smar.datasets.preparing import differences, part_of
from smar.params import ImageStoreParams
from smar.sources.picture_list import PictureFile
from smar.sources.pictures import pack_images
from smar.sources.quarantine import Quarantine


@dataclass(frozen=True)
class Catalogue:
    """The items of a data set, ready to be encoded.

    Args:
        items: As in `schema.ITEMS`; of the texts only the title is filled.
        columns: Whatever the data set says of them, [N] each.
        images: Their pictures.
    """

    items: pd.DataFrame
    columns: pd.DataFrame
    images: ImageStore


def read_catalogue(
    dataset: Dataset, source: Source, size: tuple[int, int], temporary: Path
) -> Catalogue:
    """Return the catalogue; its pictures are packed below a folder that has to outlive it.

    Args:
        dataset: What the source holds.
        source: The folder.
        size: Height and width of a picture, as the model sees it.
        temporary: An empty folder.
    """
    fields: list[dict[str, str]] = []
    pictures: list[PictureFile] = []
    beside = temporary / "pictures"
    beside.mkdir()
    for number, row in enumerate(dataset.items(source, part_of(dataset, "")), start=1):
        fields.append(dict(row.fields))
        link = ""
        if isinstance(row.picture, bytes):
            link = f"{number}.img"
            (beside / link).write_bytes(row.picture)
        elif isinstance(row.picture, Path):
            link = f"{number}.img"
            (beside / link).symlink_to(row.picture.resolve())
        if link:
            pictures.append(PictureFile(row.fields["id"], number, link))
    columns = pd.DataFrame(fields).fillna("")
    columns = columns[~columns["id"].duplicated() & (columns["title"] != "")]
    columns = columns.reset_index(drop=True)
    height, width = size
    params = ImageStoreParams(height=height, width=width)
    store = temporary / "images"
    manifest = Manifest(kind=KIND, inputs={}, params={}, counts={})
    manifest.details |= {"height": height, "width": width}
    roots = [str(source.folder.resolve())]
    with write_directory(store, manifest) as target:
        image_ids, *_ = pack_images(beside, pictures, target, params, Quarantine(), roots)
    of_item: dict[str, list[int]] = {}
    for file, image_id in zip(pictures, image_ids, strict=True):
        if image_id >= 0:
            of_item.setdefault(file.item_id, []).append(image_id)
    return Catalogue(_items(columns, of_item), columns, ImageStore.open(store))


def _items(columns: pd.DataFrame, of_item: dict[str, list[int]]) -> pd.DataFrame:
    """Return an item table of which only ids, titles and pictures are filled."""
    empty = {name: "" for name in schema.ITEMS.names if name not in {"item_id", "title"}}
    items = pd.DataFrame({"item_id": columns["id"], "title": columns["title"], **empty})
    ids = [np.array(of_item.get(item_id, []), np.int64) for item_id in columns["id"]]
    return items.assign(image_ids=pd.Series(ids, index=items.index, dtype=object))


def differs(dataset: Dataset, catalogue: Catalogue) -> list[str]:
    """Return where a catalogue is not the published one, in words."""
    counts = {"items": len(catalogue.items)}
    notes = [
        f"NOT COMPARABLE: {difference}; fewer items are easier to tell apart"
        for difference in differences(dataset, part_of(dataset, ""), counts)
    ]
    without = int((catalogue.items["image_ids"].str.len() == 0).sum())
    if without:
        notes.append(f"{without:,} items have no picture that can be read")
    return notes
