"""A search result as a page of pictures."""

from pathlib import Path

from smar.pages.gallery import Example, Group, Strip, Tile, item_tile, write_gallery
from smar.service.answer import Answer
from smar.service.hits import Hit
from smar.service.retriever import Retriever
from smar.service.table import NONE_RELEVANT, NOTHING


def write_search_page(path: Path, retriever: Retriever, answer: Answer) -> None:
    """Write a self-contained HTML page with the hits of an answer."""
    strip = Strip("", "", [_tile(hit, retriever) for hit in answer.hits])
    changes = ", ".join(map(str, answer.reasons))
    notes = [f"What speaks for the picture, in log-odds: {changes}."] if changes else []
    if answer.is_weak:
        notes.append(f"Weak: {NONE_RELEVANT}.")
    if not answer.total:
        notes.append(f"Nothing found: {NOTHING}.")
    asked = answer.query
    if answer.corrected:
        asked = f"{answer.corrected}, instead of {answer.query}"
    if answer.left_out:
        asked += f", without {', '.join(answer.left_out)}"
    example = Example(asked, " ".join(notes), answer.gate, [strip])
    words = f"words {answer.shares.words:.0%}"
    subtitle = f"{len(answer.hits)} of {answer.total:,} items, {words}"
    write_gallery(path, "Search", subtitle, [Group("", "", [example])])


def _tile(hit: Hit, retriever: Retriever) -> Tile:
    pixels = retriever.pictures.pixels(hit.pictures[0]) if hit.pictures else None
    note = f"score {hit.score:.3f}"
    if hit.relevance is not None:
        note += f", relevance {hit.relevance:.2f}"
    return item_tile(hit.as_dict(), pixels, badge=str(hit.rank), note=note)
