"""Pages of pictures: rows of item tiles under headings, in one self-contained HTML file."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from smar.pages.links import item_link
from smar.pages.render import write_page

_QUALITY = 85
_WHOLE = 1000  # from here on a price without a fraction is written without one


@dataclass(frozen=True)
class Tile:
    """One item.

    Args:
        title: Item title.
        brand: Its brand, "" if unknown.
        price: Its price as it is read, "" if unknown.
        image: Data URI of its picture, "" for none.
        badge: Short text in the corner, such as a grade; "" for none.
        relevant: Whether the item is what was asked for; None if not known.
        note: A line of figures below, such as rank and score.
        link: Its page in the shop, "" if unknown.
        hint: Shown when the pointer rests on the tile.
    """

    title: str
    brand: str = ""
    price: str = ""
    image: str = ""
    badge: str = ""
    relevant: bool | None = None
    note: str = ""
    link: str = ""
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
    """Examples under a common heading.

    Args:
        heading: The heading, "" for none.
        note: A line below it.
        examples: The examples.
        is_open: Whether a page shows them unasked.
    """

    heading: str
    note: str
    examples: list[Example] = field(default_factory=list)
    is_open: bool = True


def item_tile(
    item: Mapping[Any, Any],
    pixels: NDArray[np.uint8] | None,
    *,
    badge: str = "",
    relevant: bool | None = None,
    note: str = "",
) -> Tile:
    """Return the tile of an item.

    Args:
        item: Values of `schema.ITEMS`; what an older table lacks counts as unknown.
        pixels: Its picture [H, W, 3], None for none.
        badge: As for `Tile`.
        relevant: As for `Tile`.
        note: As for `Tile`.
    """
    return Tile(
        title=str(item["title"]),
        brand=str(item["brand"]),
        price=price_text(item.get("price"), str(item["currency"])),
        image="" if pixels is None else picture_uri(pixels),
        badge=badge,
        relevant=relevant,
        note=note,
        link=item.get("link") or item_link(item.get("more", "")),
        hint=f"{item['item_id']} \u00b7 {item['category']}",
    )


def price_text(price: float | None, currency: str) -> str:
    """Return a price as people read it, "" for none: "1,299.00 EUR", "12,500 JPY"."""
    if price is None or math.isnan(price):
        return ""
    digits = 0 if float(price).is_integer() and price >= _WHOLE else 2
    return f"{price:,.{digits}f} {currency}".rstrip()


def picture_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a JPEG data URI of a picture [H, W, 3]."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"


def write_gallery(path: Path, title: str, subtitle: str, groups: Sequence[Group]) -> None:
    """Write a page of examples."""
    write_page(path, "gallery.html.j2", title=title, subtitle=subtitle, groups=groups)
