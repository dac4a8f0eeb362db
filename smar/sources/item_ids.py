"""The ids of a feed as logs and judgements write them."""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.data.membership import in_one_piece, is_in

_BY_CASE = "ids put to the item whose id differs by upper and lower case alone"
_BY_NUMBER = "ids put to the item whose id has leading zeros (7 for 007)"


class ItemIds:
    """The ids of the items of a feed.

    A log that keeps ids as numbers has lost leading zeros and has "7" for "007": such an id means
    the one item it can mean, if no item has it as it is. So does "sku-1" for "SKU-1".

    Args:
        ids: Every item's id.

    Attributes:
        all: The same.
        notes: What ids were put to an item that has another one, counted.
    """

    def __init__(self, ids: pa.Array | Iterable[str]) -> None:
        self.all = ids if isinstance(ids, pa.Array) else pa.array([*ids], pa.string())
        self.notes: Counter[str] = Counter()

    def known(self, ids: pd.Series) -> pd.Series:
        """Return ids as the feed writes them; those it does not have as they are."""
        unknown = ids[~is_in(ids, self.all) & ids.notna()]
        return ids if unknown.empty else self._meant(ids, unknown)

    def known_values(self, ids: pa.Array) -> pa.Array:
        """Return `known` of an Arrow array of texts, of which some may be null."""
        found = pc.is_in(ids, value_set=self.all)
        if pc.all(pc.or_(found, pc.is_null(ids))).as_py() is not False:
            return ids
        return in_one_piece(pa.array(self.known(ids.to_pandas().astype(str)), pa.string()))

    def _meant(self, ids: pd.Series, unknown: pd.Series) -> pd.Series:
        by_number = unknown.map(self._by_number)
        by_case = unknown.map({text: self._by_case.get(text.casefold()) for text in set(unknown)})
        for meant, note in ((by_number, _BY_NUMBER), (by_case[by_number.isna()], _BY_CASE)):
            if number := int(meant.notna().sum()):
                self.notes[note] += number
        meant = by_number.where(by_number.notna(), by_case).dropna()
        result = ids.copy()
        result.loc[meant.index] = meant
        return result

    @cached_property
    def _by_number(self) -> dict[str, str]:
        leading = self.all.filter(pc.starts_with(self.all, "0")).to_pylist()
        found = Counter(item_id.lstrip("0") for item_id in leading if item_id.isdigit())
        return {i.lstrip("0"): i for i in leading if found[i.lstrip("0")] == 1}

    @cached_property
    def _by_case(self) -> dict[str, str]:
        ids = self.all.to_pylist()
        folded = Counter(map(str.casefold, ids))
        return {i.casefold(): i for i in ids if folded[i.casefold()] == 1}
