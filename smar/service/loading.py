"""The parts of a retriever as files give them: the index, and the items in its order."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from smar.artifacts import MANIFEST, Manifest, digest
from smar.data import schema
from smar.errors import ArtifactError
from smar.index.hybrid import HybridIndex
from smar.service.fields import Fields
from smar.service.items import ItemTable
from smar.service.kept_items import KeptItems, find_kept, keep, key_of
from smar.verified import Verified


def read_index(model: Path, index: Path, verified: Verified) -> HybridIndex:
    """Return the index of a model; what was hashed before is not hashed again."""
    found = HybridIndex.load(index, verified)
    if found.vectors.details["model_sha"] != digest(model):
        raise ArtifactError(f"{index}: was built with another model than {model} holds.")
    return found


def read_items(path: Path, index: HybridIndex) -> pa.Table:
    """Return the items of an index in its order."""
    table = schema.read_columns(path, schema.ITEMS)
    item_ids = table.column("item_id").to_pylist()
    if item_ids == index.item_ids:
        return table  # as it mostly is; `pa.array` of them to compare would load pandas
    place = {item_id: row for row, item_id in enumerate(item_ids)}
    missing = [item_id for item_id in index.item_ids if item_id not in place]
    if missing:
        raise ArtifactError(
            f"{path}: {len(missing)} items of the index are not there (first: '{missing[0]}')."
        )
    return table.take(pa.array([place[item_id] for item_id in index.item_ids], pa.int64()))


def items_key(manifest: Manifest, images: Path) -> str:
    """Return under which name the items of a release are kept, "" where that cannot be said."""
    names = ("items.parquet", "index/items.parquet", "pictures.parquet")
    if not set(names) <= set(manifest.files):
        return ""
    # Which of the pictures are at hand is a matter of the store.
    store = digest(images) if (images / MANIFEST).is_file() else ""
    return key_of(*(manifest.files[name]["sha256"] for name in names), store)


def kept_items(
    cache: Path, key: str, read: Callable[[], ItemTable], is_to_keep: Callable[[], bool]
) -> ItemTable:
    """Return the items that are kept under a key; where none are they are read, and kept if asked.

    Args:
        cache: Folder of kept items.
        key: As `items_key` gives it.
        read: Returns the items.
        is_to_keep: Whether they are to be kept from now on; asked where they are not.
    """
    found = find_kept(cache, key)
    if found is None and is_to_keep():
        found = keep(cache, key, lambda: _to_keep(read()))
    return ItemTable.of_kept(found) if found else read()


def _to_keep(items: ItemTable) -> KeptItems:
    return items.to_keep(Fields(items.table).nested)
