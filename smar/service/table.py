"""Search results as text for a terminal."""

from collections.abc import Sequence

from smar.pages.text_table import aligned
from smar.service.retriever import Hit

_WIDEST = 48


def hit_table(hits: Sequence[Hit]) -> str:
    """Return hits as an aligned table, one line each."""
    rows: list[tuple[str, ...]] = [("#", "score", "id", "title", "brand", "price")]
    for hit in hits:
        price = "" if hit.price is None else f"{hit.price:.2f} {hit.currency}".strip()
        fields = (hit.item_id, hit.title, hit.brand, price)
        rows.append((str(hit.rank), f"{hit.score:.3f}", *(_cut(field) for field in fields)))
    return "\n".join(aligned(rows)) + "\n"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "\u2026"
