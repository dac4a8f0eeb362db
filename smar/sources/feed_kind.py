"""What a kind of feed calls its columns, and how its rows become items."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from smar.sources.tables import Table

# Ours -> what it means, for messages and the docs. The first ten make the item; the others are
# kept for filters, prices and pictures.
FIELDS: dict[str, str] = {
    "id": "the item's id",
    "title": "its name",
    "description": "kept, not encoded",
    "brand": "its maker",
    "category": "levels parted by ' > '",
    "attributes": "columns whose values the model reads",
    "group_id": "what its variants share",
    "price": "amount and currency",
    "currency": "of prices that name none",
    "image_link": "main picture",
    "additional_image_link": "further pictures",
    "sale_price": "price while it is reduced",
    "sale_dates": "from and to, of the sale price",
    "availability": "in_stock, out_of_stock, preorder, backorder",
    "gtin": "global trade item number",
    "mpn": "the maker's part number",
    "size": "of a variant",
    "colour": "of a variant",
}
REQUIRED = ("id", "title")
LINKS = ("image_link", "additional_image_link")


@dataclass(frozen=True)
class FeedKind:
    """One kind of feed.

    Args:
        title: Its name for people.
        columns: Our column -> names it has there, as `spelling` writes them; the first that has a
            value counts, of links all.
        marks: Names that only this kind has: all of them tell it.
        reshape: Makes one row per item, where a row is something else there.
    """

    title: str
    columns: Mapping[str, tuple[str, ...]]
    marks: frozenset[str] = frozenset()
    reshape: Callable[[Table], Table] | None = None


def spelling(name: str) -> str:
    """Return the form that spellings of one column share: "g:Image link" is "image_link".

    A number that tells two columns of one name apart goes: "link (2)" is "link".
    """
    plain = re.sub(r" \(\d+\)$", "", name.strip())
    plain = re.sub(r"^\{.*\}|^(?:g|c|x)[:]", "", plain)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plain)
    return re.sub(r"[^\w]+|_+", "_", plain.lower()).strip("_")


def find_columns(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the columns that are spelled like one of `wanted`, in that order."""
    spelled = [(spelling(name), name) for name in names]
    return [name for want in wanted for form, name in spelled if form == want]
