"""The ids of a feed as logs and judgements write them."""

from collections import Counter

import pandas as pd

_BY_NUMBER = "ids put to the item whose id has leading zeros (7 for 007)"


class ItemIds:
    """The ids of the items of a feed.

    A log that keeps ids as numbers has lost leading zeros and has "7" for "007": such an id means
    the one item it can mean, if no item has it as it is.

    Args:
        ids: Every item's id.
    """

    def __init__(self, ids: set[str]) -> None:
        self.all = ids
        self.notes: Counter[str] = Counter()
        self._by_number: dict[str, str] = {}
        found = Counter(i.lstrip("0") for i in ids if i[:1] == "0" and i.isdigit())
        for item_id in ids:
            if item_id[:1] == "0" and found[item_id.lstrip("0")] == 1:
                self._by_number[item_id.lstrip("0")] = item_id

    def known(self, ids: pd.Series) -> pd.Series:
        """Return ids as the feed writes them; those it does not have as they are."""
        if not self._by_number:
            return ids
        meant = ids.map(self._by_number)
        is_meant = meant.notna() & ~ids.isin(self.all)
        if number := int(is_meant.sum()):
            self.notes[_BY_NUMBER] += number
        return ids.where(~is_meant, meant)
