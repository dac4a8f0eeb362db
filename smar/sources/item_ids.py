"""The ids of a feed as logs and judgements write them."""

from collections import Counter

import pandas as pd

from smar.data.membership import is_in

_BY_CASE = "ids put to the item whose id differs by upper and lower case alone"
_BY_NUMBER = "ids put to the item whose id has leading zeros (7 for 007)"


class ItemIds:
    """The ids of the items of a feed.

    A log that keeps ids as numbers has lost leading zeros and has "7" for "007": such an id means
    the one item it can mean, if no item has it as it is. So does "sku-1" for "SKU-1".

    Args:
        ids: Every item's id.
    """

    def __init__(self, ids: set[str]) -> None:
        self.all = ids
        self._known = pd.Index(sorted(ids), dtype=str)
        self.notes: Counter[str] = Counter()
        self._by_number: dict[str, str] = {}
        found = Counter(i.lstrip("0") for i in ids if i[:1] == "0" and i.isdigit())
        for item_id in ids:
            if item_id[:1] == "0" and found[item_id.lstrip("0")] == 1:
                self._by_number[item_id.lstrip("0")] = item_id
        folded = Counter(item_id.casefold() for item_id in ids)
        self._by_case = {i.casefold(): i for i in ids if folded[i.casefold()] == 1}

    def known(self, ids: pd.Series) -> pd.Series:
        """Return ids as the feed writes them; those it does not have as they are."""
        unknown = ids[~is_in(ids, self._known) & ids.notna()]
        if unknown.empty:
            return ids
        by_number = unknown.map(self._by_number)
        by_case = unknown.map({text: self._by_case.get(text.casefold()) for text in set(unknown)})
        for meant, note in ((by_number, _BY_NUMBER), (by_case[by_number.isna()], _BY_CASE)):
            if number := int(meant.notna().sum()):
                self.notes[note] += number
        meant = by_number.where(by_number.notna(), by_case).dropna()
        result = ids.copy()
        result.loc[meant.index] = meant
        return result
