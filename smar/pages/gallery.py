"""Pages of pictures: rows of item tiles under headings, in one self-contained HTML file."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from smar.pages.render import write_page

_QUALITY = 85


@dataclass(frozen=True)
class Tile:
    """One item.

    Args:
        title: Item title.
        subtitle: What stands below it, such as brand and price.
        image: Data URI of its picture, "" for none.
        badge: Short text in the corner, such as a grade; "" for none.
        relevant: Whether the item is what was asked for; None if not known.
        hint: Shown when the pointer rests on the tile.
    """

    title: str
    subtitle: str = ""
    image: str = ""
    badge: str = ""
    relevant: bool | None = None
    hint: str = ""


@dataclass(frozen=True)
class Strip:
    """A row of tiles.

    Args:
        heading: For example the name of a system.
        note: A figure or remark beside the heading.
        tiles: The items, best first.
    """

    heading: str
    note: str
    tiles: list[Tile]


@dataclass(frozen=True)
class Example:
    """A query with the strips that answer it.

    Args:
        query: The query text.
        note: Remark below it.
        gate: P(q) in [0, 1], or None.
        strips: One per system.
    """

    query: str
    note: str
    gate: float | None
    strips: list[Strip]


@dataclass(frozen=True)
class Group:
    """Examples under a common heading."""

    heading: str
    note: str
    examples: list[Example] = field(default_factory=list)


def picture_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a JPEG data URI of a picture [H, W, 3]."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"


def write_gallery(path: Path, title: str, subtitle: str, groups: Sequence[Group]) -> None:
    """Write a page of examples."""
    write_page(path, "gallery.html.j2", title=title, subtitle=subtitle, groups=groups)
