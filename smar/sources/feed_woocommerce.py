"""WooCommerce's product export: variations name their parent, and have little of their own."""

import re
from typing import Any

import pandas as pd

from smar.sources.cells import as_text
from smar.sources.feed_google import GOOGLE
from smar.sources.feed_kind import FeedKind, spelling
from smar.sources.tables import Table

_INHERITED = ("name", "description", "short_description", "categories", "images", "brands")


def _reshape(table: Table) -> Table:
    """Return Google's columns beside WooCommerce's; variations take over what their parent says.

    The first of several categories counts. A product that varies and its variations share its id as
    their group.
    """
    frame = table.frame.rename(columns={name: spelling(name) for name in table.frame.columns})
    frame = frame.loc[:, ~frame.columns.duplicated()].map(lambda cell: as_text(cell).strip())
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    by_id = {f"id:{record['id']}": record for record in records if record.get("id")}
    by_key = {record["sku"]: record for record in records if record.get("sku")} | by_id
    parents = [by_key.get(record.get("parent", "")) for record in records]
    with_variations = {id(parent) for parent in parents if parent}
    made = [
        _item(record, parent, is_parent=id(record) in with_variations)
        for record, parent in zip(records, parents, strict=True)
    ]
    result = pd.DataFrame(made, dtype=object).fillna("")
    return Table(result, table.rows, table.bad, table.notes, table.is_cut)


def _item(
    record: dict[str, Any], parent: dict[str, Any] | None, *, is_parent: bool
) -> dict[str, Any]:
    whole = dict(record)
    for name in _INHERITED if parent else ():
        whole[name] = record.get(name) or (parent or {}).get(name, "")
    named = {
        str(whole[name]).strip().lower(): whole.get(f"attribute_{number}_value_s", "")
        for name in whole
        if (number := "".join(re.findall(r"^attribute_(\d+)_name$", name))) and whole[name]
    }
    group = parent or (record if is_parent else None)
    images = [link.strip() for link in str(whole.get("images", "")).split(", ") if link.strip()]
    starts, ends = whole.get("date_sale_price_starts", ""), whole.get("date_sale_price_ends", "")
    return {
        **whole,
        # What a parent lists ("S, M, L") is no variant's own.
        **({} if is_parent else named),
        "id": record.get("id") or record.get("sku", ""),
        "title": whole.get("name", ""),
        "description": whole.get("description") or whole.get("short_description", ""),
        "brand": whole.get("brands") or named.get("brand", ""),
        "product_type": _first_category(str(whole.get("categories", ""))),
        "item_group_id": (group.get("id") or group.get("sku", "")) if group else "",
        "price": whole.get("regular_price", ""),
        "sale_price": whole.get("sale_price", ""),
        "sale_price_effective_date": f"{starts}/{ends}" if starts or ends else "",
        "availability": whole.get("in_stock", ""),
        "gtin": whole.get("gtin_upc_ean_or_isbn", ""),
        "image_link": images[0] if images else "",
        "additional_image_link": images[1:],
    }


def _first_category(text: str) -> str:
    """Return the first of "A > B, A > C"; a comma inside a name is escaped there."""
    return re.split(r"(?<!\\),\s*", text)[0].replace("\\,", ",")


WOOCOMMERCE = FeedKind(
    title="WooCommerce product export",
    columns=GOOGLE.columns,
    marks=frozenset({"regular_price", "categories", "type"}),
    reshape=_reshape,
)
