"""Search results as text for a terminal."""

from smar.pages.text_table import aligned
from smar.service.answer import Answer

NONE_RELEVANT = "no hit is more likely relevant than not"
NOTHING = "no item matches"
_WIDEST = 48


def answer_table(answer: Answer) -> str:
    """Return what counted, then the hits as an aligned table, one line each.

    Of a release with a calibration it tells the relevance of each hit, and that an answer is weak;
    of an explained one how much each word speaks for the picture, and what each hit's text,
    picture and words add to its score. Where no item matches it says so.
    """
    origin = answer.release or "working tree"
    shares = answer.shares
    parts = f"text {shares.text:.0%}, picture {shares.picture:.0%}, words {shares.words:.0%}"
    if answer.is_weak:
        parts += f"; weak: {NONE_RELEVANT}"
    is_told = any(hit.relevance is not None for hit in answer.hits)
    columns: tuple[str, ...] = ("relevance",) if is_told else ()
    columns += ("text", "picture", "words") if any(hit.why for hit in answer.hits) else ()
    rows: list[tuple[str, ...]] = [("#", "score", *columns, "id", "title", "brand", "price")]
    for hit in answer.hits:
        price = "" if hit.price is None else f"{hit.price:.2f} {hit.currency}".strip()
        fields = (hit.item_id, hit.title, hit.brand, price)
        numbers = [f"{hit.score:.3f}"]
        numbers += [] if hit.relevance is None else [f"{hit.relevance:.2f}"]
        if hit.why:
            numbers += [f"{part:.3f}" for part in (hit.why.text, hit.why.picture, hit.why.words)]
        rows.append((str(hit.rank), *numbers, *(_cut(field) for field in fields)))
    lines = [f"{answer.query}   ({parts}; {origin})"]
    if answer.corrected:
        lines.append(f"searched for: {answer.corrected}   (--as-typed searches what was typed)")
    if answer.left_out:
        words = ", ".join(answer.left_out)
        lines.append(f"left out: {words}   (--as-typed searches what was typed)")
    if answer.reasons:
        changes = ", ".join(map(str, answer.reasons))
        lines.append(f"what speaks for the picture, in log-odds: {changes}")
    found = aligned(rows) if answer.total else [NOTHING]
    return "\n".join([*lines, *found]) + "\n"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "\u2026"
