"""Where an item lies in its shop."""

import json
from collections.abc import Mapping


def item_link(more: str | Mapping[str, str]) -> str:
    """Return an item's page in the shop from `more` of its row, "" if the feed names none.

    Args:
        more: The JSON text of the item table, or what it says.
    """
    values = more if isinstance(more, Mapping) else json.loads(more or "{}")
    link = next((v for k, v in values.items() if k.lower().removeprefix("g:") == "link"), "")
    return str(link) if str(link).startswith(("https://", "http://")) else ""
