"""What a shopper may be about to type: queries of the log, and names of the catalogue.

A release keeps them in a file of its own, so that it suggests without the log it was made from.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import regex

from smar.data import schema
from smar.data.schema import normalize_query
from smar.data.stems import bag_of_stems
from smar.index.spelling import Speller
from smar.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

FILE = "suggestions.parquet"
QUERY, CATEGORY, BRAND, BOTH, WORD = "query", "category", "brand", "brand and category", "word"
SCHEMA = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # searches of a query, items of all others
    ]
)
Rows = list[tuple[str, str, int]]
"""Text, kind and count of suggestions."""
FEWEST_SHOPPERS = 3
"""Shoppers who typed a query before it is suggested: what one typed may be about that one."""

_FEWEST_ITEMS = 2  # that hold a word before others are mended to it
_WORDS = regex.compile(r"[\p{L}\p{M}\p{N}]+")


def build_suggestions(
    items: "pd.DataFrame",
    queries: "pd.DataFrame | None" = None,
    searches: "pd.DataFrame | None" = None,
) -> "pd.DataFrame":
    """Return what is suggested, the columns of `SCHEMA`, most frequent first.

    Args:
        items: As in `schema.ITEMS`; gives brands, categories, both together, and the words that
            misspelled ones are mended to.
        queries: As in `schema.QUERIES`, of the log.
        searches: As in `schema.SEARCHES`; the queries that enough shoppers typed are suggested,
            but not what is a misspelling of the catalogue's words.
    """
    import pandas as pd

    words = _words_of(items)
    known = {word: number for word, number in words.items() if number >= _FEWEST_ITEMS}
    rows: list[tuple[str, str, int]] = []
    if queries is not None and searches is not None:
        speller = Speller(known, words)
        logged = _logged(queries, searches)
        rows += [(t, QUERY, n) for t, n in logged.items() if not _is_misspelled(t, speller)]
    for kind, texts in _names(items):
        rows += [(text, kind, number) for text, number in Counter(texts).items() if text]
    rows = [*_each_once(rows), *((word, WORD, number) for word, number in known.items())]
    frame = pd.DataFrame(rows, columns=SCHEMA.names)
    return frame.sort_values(["count", "text", "kind"], ascending=[False, True, True])


def write_suggestions(path: Path, frame: "pd.DataFrame") -> None:
    """Write what `build_suggestions` returns."""
    schema.write_table(path, frame, SCHEMA)


def read_suggestions(path: Path) -> "pd.DataFrame":
    """Return what `write_suggestions` wrote."""
    return schema.read_table(path, SCHEMA)


def rows_of(frame: "pd.DataFrame") -> Rows:
    """Return suggestions as rows."""
    return list(zip(*(frame[name].tolist() for name in SCHEMA.names), strict=True))


def suggestions_of_release(folder: Path, items: pa.Table) -> Rows:
    """Return what a release suggests; one of before there were any suggests from its items alone.

    Args:
        folder: The release's folder.
        items: Its items.
    """
    file = folder / FILE
    if not file.is_file():
        return rows_of(build_suggestions(items.to_pandas()))
    table = schema.read_columns(file, SCHEMA)  # a service does without data frames
    return list(zip(*(table.column(name).to_pylist() for name in SCHEMA.names), strict=True))


def suggestions_of_tree(paths: Paths, items: pa.Table) -> "pd.DataFrame":
    """Return what the working tree suggests, as a release made of it would."""
    return build_suggestions(
        items.to_pandas(),
        schema.read_table(paths.queries, schema.QUERIES),
        schema.read_table(paths.searches, schema.SEARCHES),
    )


def _each_once(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Return suggestions without what says the same in another number: "lamps" beside "lamp".

    The most frequent spelling of a kind stays, with the counts of all; a query goes before a name.
    """
    best: dict[str, tuple[str, str, int]] = {}
    order = {QUERY: 0, BOTH: 1, CATEGORY: 2, BRAND: 3}
    for text, kind, number in sorted(rows, key=lambda row: (order[row[1]], -row[2], row[0])):
        key = " ".join(bag_of_stems(word) for word in text.split())
        first = best.setdefault(key, (text, kind, 0))
        if first[1] == kind:
            best[key] = (*first[:2], first[2] + number)
    return list(best.values())


def _is_misspelled(text: str, speller: Speller) -> bool:
    """Return whether a text has a word that is near a known one without being one."""
    return any(speller.mended(word) != word for word in _WORDS.findall(text))


def _names(items: "pd.DataFrame") -> Iterator[tuple[str, list[str]]]:
    """Yield brands, last levels of categories, and both together, as a shopper types them."""
    brands = [normalize_query(text) for text in items["brand"]]
    leaves = [normalize_query(text.rpartition(" > ")[2]) for text in items["category"]]
    yield BRAND, brands
    yield CATEGORY, leaves
    yield BOTH, [f"{b} {c}" if b and c else "" for b, c in zip(brands, leaves, strict=True)]


def _words_of(items: "pd.DataFrame") -> dict[str, int]:
    """Return every word of the catalogue with the number of items that have it."""
    counts: Counter[str] = Counter()
    for fields in zip(items["title"], items["brand"], items["category"], strict=True):
        counts.update(set(_WORDS.findall(normalize_query(" ".join(fields)))))
    return dict(counts)


def _logged(queries: "pd.DataFrame", searches: "pd.DataFrame") -> dict[str, int]:
    """Return the queries that enough shoppers typed, with their searches."""
    found = searches[["search_id", "query_id", "client_id"]].merge(
        queries[["query_id", "query"]].drop_duplicates("query_id"), on="query_id"
    )
    # Where the log does not say who searched, each search counts as one shopper's.
    shopper = found["client_id"].where(found["client_id"] != "", found["search_id"])
    by_query = found.assign(shopper=shopper).groupby("query")["shopper"]
    kept = by_query.nunique() >= FEWEST_SHOPPERS
    return {str(text): int(number) for text, number in by_query.size()[kept].items()}
