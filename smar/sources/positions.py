"""Where items stood: positions from 0 or 1, and the lists that shoppers saw."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data.membership import in_one_piece

# A list is not longer than this; what says otherwise is no position but a pixel or an id.
LAST = 10_000
_FEWEST_ZEROS_FRAC = 0.01  # fewer positions 0 than this are slips, not the way a log counts
SAMPLE = 2000
"""Events of an application that are looked up in what their search listed, the first ones."""
_FEWEST_VOTES = 3


@dataclass(frozen=True)
class Votes:
    """What events say of where positions begin; those of parts of a log add up.

    Args:
        given: Positions that were told.
        zeros: Those of them that are 0.
        looked: Events that were looked up in what their search listed, the first ones.
        from_zero: Those that stand there as if positions began at 0.
        from_one: Those that stand there as if they began at 1.
    """

    given: int = 0
    zeros: int = 0
    looked: int = 0
    from_zero: int = 0
    from_one: int = 0

    @property
    def first(self) -> int:
        """Where positions begin.

        At 0 if there are positions 0, or if items stand in what their searches listed as if so.
        """
        is_zero = self.zeros > 0 and self.zeros >= _FEWEST_ZEROS_FRAC * self.given
        if max(self.from_zero, self.from_one) >= _FEWEST_VOTES:
            if self.from_one > 2 * self.from_zero:
                is_zero = False
            elif self.from_zero > 2 * self.from_one:
                is_zero = True
        return 0 if is_zero else 1


def votes_of(
    events: pd.DataFrame, rows: NDArray[np.int64], hits: pa.Array, setting: str
) -> dict[str, Votes]:
    """Return what the events of each application say of where its positions begin.

    Args:
        events: With application, item_id and ordinal (NaN for none).
        rows: Row in `hits` of each event's search, -1 for none.
        hits: What each search listed.
        setting: "0", "1", or "auto"; events are looked at for "auto" alone.
    """
    names = [str(name) for name in events["application"].unique()]
    if setting != "auto":
        return dict.fromkeys(names, Votes())
    votes = {}
    for name in names:
        of_name = (events["application"] == name).to_numpy()
        ordinal = events.loc[of_name, "ordinal"].to_numpy(float)
        given = ordinal[~np.isnan(ordinal)]
        looked = _looked_up(events[of_name], rows[of_name], hits)
        votes[name] = Votes(len(given), int((given == 0).sum()), *looked)
    return votes


def first_positions(votes: Mapping[str, Votes], setting: str) -> dict[str, int]:
    """Return by application whether its positions begin at 0 or 1.

    Args:
        votes: As `votes_of`.
        setting: "0", "1", or "auto".
    """
    return {name: told.first if setting == "auto" else int(setting) for name, told in votes.items()}


def _looked_up(
    events: pd.DataFrame, rows: NDArray[np.int64], hits: pa.Array
) -> tuple[int, int, int]:
    """Return how many events were looked up, and how many stand as if from 0, as if from 1."""
    usable = np.flatnonzero((rows >= 0) & events["ordinal"].notna().to_numpy())
    lengths = pc.list_value_length(hits).fill_null(0).to_numpy(zero_copy_only=False)
    usable = usable[lengths[rows[usable]] > 0][:SAMPLE]
    votes = [0, 0]
    lists = hits.take(pa.array(rows[usable])).to_pylist()
    chosen = events.iloc[usable]
    for item, ordinal, listed in zip(chosen["item_id"], chosen["ordinal"], lists, strict=True):
        if item in listed and (offset := int(ordinal) - listed.index(item)) in {0, 1}:
            votes[offset] += 1
    return len(usable), votes[0], votes[1]


def places_of(events: pd.DataFrame, first: Mapping[str, int]) -> pd.Series:
    """Return places from 1 (Int64), missing where no usable position is given."""
    begin = events["application"].map(first).to_numpy(float)
    place = events["ordinal"] - begin + 1
    is_usable = (place >= 1) & (place <= LAST) & (place == place.round())
    return place.where(is_usable).astype("Int64")


def shown_lists(hits: pa.Array, impressions: pd.DataFrame, engaged: pd.DataFrame) -> pa.Array:
    """Return what each search showed, best first, null at a place of which nothing is known.

    Where impressions were logged, they are what was seen: the list ends with the last of them, or
    of what was engaged; places between are filled by that, and by what the response listed.
    Elsewhere it is what the response listed.

    Args:
        hits: What the response of each search listed.
        impressions: Columns search (row in `hits`), item_id and place (Int64, missing for unknown:
            then they stand in the order they were logged).
        engaged: The same columns of engagements.
    """
    seen = impressions.copy()
    order = seen.groupby("search").cumcount() + 1
    untold = seen["place"].isna().groupby(seen["search"]).transform("all")
    seen["place"] = seen["place"].where(~untold, order.astype("Int64"))
    seen = seen.dropna(subset="place").drop_duplicates(["search", "place"])
    if seen.empty:
        return hits
    more = engaged.dropna(subset="place")
    more = more[more["search"].isin(seen["search"])]
    last = pd.concat([seen, more]).groupby("search")["place"].max()
    listed = _exploded(hits, last)
    whole = pd.concat([seen, more, listed])[["search", "place", "item_id"]]
    whole = whole.drop_duplicates(["search", "place"]).drop_duplicates(["search", "item_id"])
    return _with_lists(hits, last, whole)


def _exploded(hits: pa.Array, last: pd.Series) -> pd.DataFrame:
    """Return the places of the lists of some searches, down to a last one each."""
    places = np.asarray(last.index, np.int64)
    chosen = hits.take(pa.array(places))
    parent = pc.list_parent_indices(chosen).to_numpy(zero_copy_only=False)
    frame = pd.DataFrame({"search": places[parent], "item_id": pc.list_flatten(chosen).to_pandas()})
    frame["place"] = frame.groupby("search").cumcount() + 1
    return frame[frame["place"] <= frame["search"].map(last)]


def _with_lists(hits: pa.Array, last: pd.Series, whole: pd.DataFrame) -> pa.Array:
    """Return `hits` with the lists of some searches replaced."""
    length = np.zeros(len(hits), np.int64)
    old = pc.list_value_length(hits).fill_null(0).to_numpy(zero_copy_only=False)
    is_new = np.zeros(len(hits), bool)
    is_new[np.asarray(last.index, np.int64)] = True
    length[~is_new] = old[~is_new]
    length[np.asarray(last.index, np.int64)] = last.to_numpy(np.int64)
    offsets = np.concatenate([[0], np.cumsum(length)])
    kept = hits.filter(pa.array(~is_new))
    kept_values = pc.list_flatten(kept)
    seen = in_one_piece(pa.array(whole["item_id"].astype(str), pa.string()))
    values = pa.concat_arrays([kept_values, seen])
    source = np.full(offsets[-1], -1, np.int64)
    old_rows = np.repeat(~is_new, length)
    source[old_rows] = np.arange(len(kept_values))
    at = offsets[whole["search"].to_numpy(np.int64)] + whole["place"].to_numpy(np.int64) - 1
    source[at] = len(kept_values) + np.arange(len(whole))
    flat = values.take(pa.array(source, mask=source < 0))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
