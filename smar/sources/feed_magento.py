"""Magento's (Adobe Commerce's) product export, and Akeneo's."""

import re
from typing import Any

import pandas as pd

from smar.sources.cells import as_text
from smar.sources.feed_google import GOOGLE
from smar.sources.feed_kind import FeedKind, spelling
from smar.sources.tables import Table

_ROOT = re.compile(r"^(?:Default Category|Root Catalog)/")
_PAIR = re.compile(r"(?:^|,)([a-z]\w*)=((?:[^,\"]|\"[^\"]*\"|,(?![a-z]\w*=))*)")
_LOCALE = re.compile(r"^(name|description|short_description|price|image|brand)-(\w+)(?:-\w+)?$")


def _records(table: Table) -> list[dict[str, str]]:
    frame = table.frame.rename(columns={name: spelling(name) for name in table.frame.columns})
    frame = frame.loc[:, ~frame.columns.duplicated()].map(lambda cell: as_text(cell).strip())
    return frame.to_dict("records")  # type: ignore[return-value]


def _table(table: Table, made: list[dict[str, Any]]) -> Table:
    result = pd.DataFrame(made, dtype=object).fillna("")
    return Table(result, table.rows, table.bad, table.notes, table.is_cut)


def _reshape_magento(table: Table) -> Table:
    """Return Google's columns beside Magento's, and one for each additional attribute."""
    records = _records(table)
    parents = {
        sku: record["sku"]
        for record in records
        for sku in re.findall(r"sku=([^,|]+)", record.get("configurable_variations", ""))
    }
    groups = set(parents.values())
    return _table(table, [_magento_item(record, parents, groups) for record in records])


def _magento_item(
    record: dict[str, str], parents: dict[str, str], groups: set[str]
) -> dict[str, Any]:
    more = dict(_PAIR.findall(record.get("additional_attributes", "")))
    sku = record.get("sku", "")
    paths = [record.get("base_image", ""), *record.get("additional_images", "").split(",")]
    images = list(dict.fromkeys(path.strip().lstrip("/") for path in paths if path.strip()))
    starts, ends = (record.get(f"special_price_{side}_date", "") for side in ("from", "to"))
    category = _ROOT.sub("", re.split(r",(?=[^,]*/)", record.get("categories", ""))[0])
    return {
        **record,
        **{name: value.strip('"') for name, value in more.items()},
        "id": sku,
        "title": record.get("name", ""),
        "description": record.get("description") or record.get("short_description", ""),
        "brand": more.get("manufacturer") or more.get("brand") or record.get("manufacturer", ""),
        "product_type": [level for level in category.split("/") if level],
        "item_group_id": parents.get(sku) or (sku if sku in groups else ""),
        "sale_price": record.get("special_price", ""),
        "sale_price_effective_date": f"{starts}/{ends}" if starts or ends else "",
        "availability": record.get("is_in_stock", ""),
        "image_link": images[0] if images else "",
        "additional_image_link": images[1:],
    }


def _reshape_akeneo(table: Table) -> Table:
    """Return Google's columns beside Akeneo's; the first locale and currency of a value count."""
    names = list(table.frame.columns)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        if match := _LOCALE.match(name.strip()):
            found.setdefault(match[1], []).append((name, match[2]))
    made = []
    for record in table.frame.to_dict("records"):
        cells = {str(name): as_text(value).strip() for name, value in record.items()}
        first = {
            ours: next(((cells[name], tail) for name, tail in columns if cells[name]), ("", ""))
            for ours, columns in found.items()
        }
        amount, currency = first.get("price", ("", ""))
        made.append(
            {
                **cells,
                "id": cells.get("sku") or cells.get("identifier") or cells.get("code", ""),
                "title": first.get("name", (cells.get("name", ""),))[0],
                "description": first.get("description", (cells.get("description", ""),))[0],
                "brand": first.get("brand", (cells.get("brand", ""),))[0],
                "product_type": cells.get("categories", "").split(",")[0],
                "item_group_id": cells.get("parent", ""),
                "price": f"{amount} {currency}" if amount else "",
                "gtin": cells.get("ean", ""),
                "image_link": cells.get("image") or first.get("image", ("",))[0],
            }
        )
    return _table(table, made)


MAGENTO = FeedKind(
    title="Magento product export",
    columns=GOOGLE.columns,
    marks=frozenset({"sku", "attribute_set_code"}),
    reshape=_reshape_magento,
)
AKENEO = FeedKind(
    title="Akeneo product export",
    columns=GOOGLE.columns,
    marks=frozenset({"family", "categories", "enabled"}),
    reshape=_reshape_akeneo,
)
