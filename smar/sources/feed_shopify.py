"""Shopify's product export: a product is several rows of one handle, for variants and pictures."""

from typing import Any

import pandas as pd

from smar.errors import DataError
from smar.sources.cells import as_text
from smar.sources.feed_google import GOOGLE
from smar.sources.feed_kind import FeedKind, spelling
from smar.sources.tables import Table
from smar.sources.variants import OPTIONS, is_greater

_OF_ROW = ("variant_", "option", "image_")


def _reshape(table: Table) -> Table:
    """Return one row per variant, with all pictures of its product.

    Only the first row of a handle has the product's own columns; they are filled down. Rows
    without a variant hold a further picture. A variant's id is its SKU; without one, the handle and
    the values of its options.
    """
    frame = table.frame.rename(columns={name: spelling(name) for name in table.frame.columns})
    frame = frame.loc[:, ~frame.columns.duplicated()].map(lambda cell: as_text(cell).strip())
    if "handle" not in frame:
        raise DataError(
            "ingest.feed.kind: no column 'Handle', which every product export of Shopify has; the "
            f"feed has {', '.join(table.frame.columns)}."
        )
    handles = frame["handle"].where(frame["handle"] != "").ffill().fillna("")
    made: list[dict[str, Any]] = []
    rows: list[int] = []
    for handle, product in frame.groupby(handles, sort=False):
        records = product.to_dict("records")
        own = {str(name): _first(records, str(name)) for name in product
               if not str(name).startswith(_OF_ROW)}  # fmt: skip
        pictures = [link for record in records if (link := record.get("image_src", ""))]
        names = {n: _first(records, f"option{n}_name") for n in OPTIONS}
        variants = [
            (place, record)
            for place, record in zip(product.index, records, strict=True)
            if any(record.get(name) for name in ("variant_price", "variant_sku", "option1_value"))
        ]
        for place, record in variants or [(product.index[0], records[0])]:
            made.append(_variant(str(handle), own, record, names, pictures, len(variants)))
            rows.append(table.rows[place])
    result = pd.DataFrame(made, dtype=object).fillna("")
    return Table(result, rows, table.bad, table.notes, table.is_cut)


def _first(records: list[dict[Any, str]], name: str) -> str:
    return next((record[name] for record in records if record.get(name)), "")


def _variant(
    handle: str,
    own: dict[str, str],
    record: dict[Any, str],
    names: dict[int, str],
    pictures: list[str],
    num_variants: int,
) -> dict[str, Any]:
    options = {names[n].lower(): record.get(f"option{n}_value", "") for n in OPTIONS if names[n]}
    options = {name: value for name, value in options.items() if value not in {"", "Default Title"}}
    tail = "-".join(options.values()) if num_variants > 1 else ""
    price, before = record.get("variant_price", ""), record.get("variant_compare_at_price", "")
    is_sale = is_greater(before, price)
    first = record.get("variant_image", "")
    links = list(dict.fromkeys(link for link in [first, *pictures] if link))
    is_out = (
        record.get("variant_inventory_policy") == "deny"
        and bool(record.get("variant_inventory_tracker"))
        and record.get("variant_inventory_qty", "1").lstrip("-") == "0"
    )
    kept = {name: value for name, value in record.items() if str(name).startswith("variant_")}
    return {
        **own,
        **kept,
        **options,
        "id": record.get("variant_sku") or "-".join(part for part in (handle, tail) if part),
        "title": own.get("title", ""),
        "description": own.get("body_html", ""),
        "brand": own.get("vendor", ""),
        "product_type": own.get("product_category") or own.get("type", ""),
        "item_group_id": handle if num_variants > 1 else "",
        "price": before if is_sale else price,
        "sale_price": price if is_sale else "",
        "image_link": links[0] if links else "",
        "additional_image_link": links[1:],
        "gtin": record.get("variant_barcode", ""),
        "availability": "out_of_stock" if is_out else "in_stock",
    }


SHOPIFY = FeedKind(
    title="Shopify product export",
    columns=GOOGLE.columns,
    marks=frozenset({"handle", "variant_price"}),
    reshape=_reshape,
)
