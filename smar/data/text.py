"""What the text tower, the tokenizer and BM25 see of an item."""

import pandas as pd

_SEPARATOR = " ; "


def item_texts(items: pd.DataFrame) -> list[str]:
    """Return one text per item: title, brand, the last two category levels and attribute values.

    The paper's item text is title, category and brand. Attributes ("gender: Women; size: M") add
    their values; the description is left out: it is long, and says little that a query asks for.
    Fields are parted by " ; "; an empty field leaves no trace.

    Args:
        items: Table with the columns of `schema.ITEMS` that are named above.
    """
    category = items["category"].str.split(" > ").str[-2:].str.join(" ")
    names = r"(?:^|;)\s*[^:;]*:\s*"
    attributes = items["attributes"].str.replace(names, " ", regex=True).str.strip()
    rows = zip(items["title"], items["brand"], category, attributes, strict=True)
    return [_SEPARATOR.join(field for field in row if field) for row in rows]
