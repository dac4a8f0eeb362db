"""Search results as text for a terminal."""

from smar.pages.text_table import aligned
from smar.service.answer import Answer

_WIDEST = 48


def answer_table(answer: Answer) -> str:
    """Return what counted, then the hits as an aligned table, one line each."""
    origin = answer.release or "working tree"
    parts = f"the picture counts {answer.gate:.0%}, words {answer.shares.words:.0%}"
    rows: list[tuple[str, ...]] = [("#", "score", "id", "title", "brand", "price")]
    for hit in answer.hits:
        price = "" if hit.price is None else f"{hit.price:.2f} {hit.currency}".strip()
        fields = (hit.item_id, hit.title, hit.brand, price)
        rows.append((str(hit.rank), f"{hit.score:.3f}", *(_cut(field) for field in fields)))
    return f"{answer.query}   ({parts}; {origin})\n" + "\n".join(aligned(rows)) + "\n"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "\u2026"
