"""A search result as a page of pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smar.data.images import ImageStore
from smar.pages.gallery import Example, Group, Strip, Tile, item_tile, write_gallery
from smar.paths import Paths
from smar.service.retriever import Hit, Retriever


def write_search_page(path: Path, retriever: Retriever, query: str, hits: Sequence[Hit]) -> None:
    """Write a self-contained HTML page with the hits of a query."""
    # Without a picture to show, a release needs no picture store.
    has_picture = any(hit.image_ids for hit in hits)
    images = ImageStore.open(Paths(retriever.root).images, verify=False) if has_picture else None
    strip = Strip("", "", [_tile(hit, images) for hit in hits])
    example = Example(query, "", retriever.gate(query), [strip])
    subtitle = f"{len(hits)} of {len(retriever.items):,} items, words {retriever.word_share:.0%}"
    write_gallery(path, "Search", subtitle, [Group("", "", [example])])


def _tile(hit: Hit, images: ImageStore | None) -> Tile:
    ids = np.array(hit.image_ids[:1], np.int64)
    pixels = images.read(ids)[0] if images and len(ids) else None
    return item_tile(hit.as_dict(), pixels, badge=str(hit.rank), note=f"score {hit.score:.3f}")
