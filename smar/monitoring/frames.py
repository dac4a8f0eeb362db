"""The columns that are compared between two snapshots."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from smar.monitoring.snapshot import NO_CLICK, Snapshot, words_of


def column_frames(
    reference: Snapshot, current: Snapshot
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Return the reference's and today's columns by group, "items" and "queries"."""
    return {
        "items": (_item_frame(reference, reference), _item_frame(current, reference)),
        "queries": (_query_frame(reference, reference), _query_frame(current, reference)),
    }


def unknown_share(text: str, known: Callable[[str], bool]) -> float:
    """Return the share of a text's words that are not known, 0 for a text without words."""
    words = words_of(text)
    return sum(not known(word) for word in words) / len(words) if words else 0.0


def _item_frame(snapshot: Snapshot, reference: Snapshot) -> pd.DataFrame:
    counts = dict(zip(reference.words["word"], reference.words["items"], strict=True))
    # In the reference itself, a word or category that one item alone has would be new without it.
    least = 2 if snapshot is reference else 1
    category = snapshot.items["category"]
    price = snapshot.items["price"]
    seen = category.map(reference.items["category"].value_counts()).fillna(0)
    return pd.DataFrame(
        {
            "category": category,
            "price": np.log(price.where(price > 0)),
            "title_words": [float(len(words_of(title))) for title in snapshot.items["title"]],
            "unknown_words": [
                unknown_share(title, lambda word: counts.get(word, 0) >= least)
                for title in snapshot.items["title"]
            ],
            "no_picture": ~snapshot.items["picture"],
            "new_category": seen < least,
        }
    )


def _query_frame(snapshot: Snapshot, reference: Snapshot) -> pd.DataFrame:
    table = reference.words.set_index("word")
    searches, items = table["searches"].to_dict(), table["items"].to_dict()
    least = 2 if snapshot is reference else 1

    def is_known(word: str) -> bool:
        return items.get(word, 0) > 0 or searches.get(word, 0) >= least

    rows = snapshot.searches
    return pd.DataFrame(
        {
            "query_words": [float(len(words_of(query))) for query in rows["query"]],
            # Whether anything was clicked is a column of its own.
            "asked": rows["asked"].where(rows["asked"] != NO_CLICK),
            "gate": rows["gate"],
            "unknown_words": [unknown_share(query, is_known) for query in rows["query"]],
            "zero_results": rows["shown"] == 0,
            "zero_clicks": ~rows["clicked"],
        }
    )
