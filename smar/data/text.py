"""What the text tower, the tokenizer and BM25 see of an item."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("title", "brand", "category", "attributes")
MARKERS = tuple(f"[{name.upper()}]" for name in FIELDS)
_SEPARATOR = " ; "
# The name of an attribute ends with the first colon and space: "ratio: 16:9", "size: EU: 42".
_NAME = r"(?:^|;)\s*(?:[^:;]|:[^\s:;])*:\s+"


def item_texts(items: "pd.DataFrame", *, markers: bool = False) -> list[str]:
    """Return one text per item: title, brand, the last two category levels and attribute values.

    The paper's item text is title, category and brand. Attributes ("gender: Women; size: M") add
    their values; the description is left out: it is long, and says little that a query asks for.
    An empty field leaves no trace.

    Args:
        items: Table with the columns of `schema.ITEMS` that are named above.
        markers: False parts the fields by " ; ", True names them: "[TITLE] red boot [BRAND] Acme".
    """
    if markers:
        return ["".join(parts) for parts in _parts(items, markers=markers)]
    fields = [pa.array(field, pa.string()) for field in _fields(items)]
    told = [pc.if_else(pc.equal(field, ""), None, field) for field in fields]
    joined = pc.binary_join_element_wise(*told, _SEPARATOR, null_handling="skip")
    return list(pc.fill_null(joined, "").to_pylist())


def field_starts(items: "pd.DataFrame", *, markers: bool = False) -> NDArray[np.int64]:
    """Return where each field begins in its item's text, separator or marker included, [N, F].

    An empty field begins where the next one does.
    """
    sizes = [[len(part) for part in parts[:-1]] for parts in _parts(items, markers=markers)]
    first = np.zeros((len(sizes), 1), np.int64)
    return np.concatenate(
        [first, np.cumsum(np.array(sizes, np.int64).reshape(len(sizes), -1), 1)], 1
    )


def item_codes(items: "pd.DataFrame") -> list[tuple[str, ...]]:
    """Return what each item may be called by: its id, and GTIN and MPN where the table has them."""
    names = [name for name in ("item_id", "gtin", "mpn") if name in items]
    columns = [items[name].to_numpy(object).tolist() for name in names]
    return list(zip(*columns, strict=True))


def _fields(items: "pd.DataFrame") -> "list[pd.Series]":
    """Return what each of `FIELDS` adds to a text, without what parts them."""
    from smar.data.membership import each_once  # and pandas with it, which a search does without

    category = each_once(items["category"], lambda text: " ".join(text.split(" > ")[-2:]))
    attributes = items["attributes"].str.replace(_NAME, " ", regex=True).str.strip()
    return [items["title"], items["brand"], category, attributes]


def _parts(items: "pd.DataFrame", *, markers: bool) -> Iterator[list[str]]:
    """Yield what each field adds to each item's text, "" for an empty one."""
    for row in zip(*_fields(items), strict=True):
        parts: list[str] = []
        for marker, text in zip(MARKERS, row, strict=True):
            apart = any(parts)
            before = f"{' ' if apart else ''}{marker} " if markers else _SEPARATOR * apart
            parts.append(f"{before}{text}" if text else "")
        yield parts
