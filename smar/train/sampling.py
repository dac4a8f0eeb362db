"""Which pairs a step sees: a pure function of seed and step.

Shapes: Q queries, B items, F fields of an item's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.data.searched_words import MOST
from smar.data.text import FIELDS
from smar.data.tokens import Forgotten
from smar.errors import DataError
from smar.params import AugmentParams
from smar.seeding import generator
from smar.train.augment import Views
from smar.train.dataset import TrainingData
from smar.train.negatives import HardPool, hard_items
from smar.train.pairs import Pairs


@dataclass(frozen=True)
class Draw:
    """Which pairs a step sees.

    Args:
        items: Distinct rows of the item table, hard negatives last, [B].
        queries: Rows of the query texts, [Q].
        target: Position in `items` of each query's own item, [Q].
        grade: Grade of each query with its own item, [Q].
        hidden: True where a field of an item's text is left out, [B, F]; None: nowhere.
        slips: Seed of each query's misspelling, -1 where it stays as it is, [Q]; None: everywhere.
        views: How pictures are looked at; None: as they are.
        forgotten: Which words of the items' texts are left out; None: none.
        untold: True where a word of searches is not shown, the surest first, [B, most]; None:
            nowhere.
    """

    items: NDArray[np.int64]
    queries: NDArray[np.int64]
    target: NDArray[np.int64]
    grade: NDArray[np.float64]
    hidden: NDArray[np.bool_] | None
    slips: NDArray[np.int64] | None
    views: Views | None = None
    forgotten: Forgotten | None = None
    untold: NDArray[np.bool_] | None = None

    def first(self, num_items: int) -> "Draw":
        """Return the draw of its first items and their queries alone."""
        own = self.target < num_items
        return Draw(
            self.items[:num_items],
            self.queries[own],
            self.target[own],
            self.grade[own],
            None if self.hidden is None else self.hidden[:num_items],
            None if self.slips is None else self.slips[own],
            self.views,
            self.forgotten,
            None if self.untold is None else self.untold[:num_items],
        )


@dataclass(frozen=True)
class LeftOut:
    """How much of items' texts a step does not see.

    Args:
        fields: Chance that a field of a text is left out.
        words: Chance that a word of it is.
        searched: Chance that a word of searches is.
    """

    fields: float = 0.0
    words: float = 0.0
    searched: float = 0.0


class PairSampler:
    """Draws items without replacement epoch by epoch, and for each some of its queries.

    Every item is encoded once and serves `queries_per_item` queries of the step.

    Args:
        data: The training data.
        items_per_step: B; fewer if the catalogue is smaller.
        queries_per_item: Queries drawn for each item.
        real_frac: Share of draws from the log, where an item has both kinds of pairs.
        seed: The draw of a step depends on this and on the step alone.
        left_out: What a step does not see of the items' texts.
        misspelled_frac: Chance that a query is misspelled when it is drawn.
        hard: Pools of hard negatives that join the items of a step.

    Raises:
        DataError: If fewer than two items have a query.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        items_per_step: int,
        queries_per_item: int,
        real_frac: float,
        seed: int,
        left_out: LeftOut = LeftOut(),
        misspelled_frac: float = 0.0,
        hard: Sequence[HardPool] = (),
    ) -> None:
        self._pools = [_Pool(data.real), _Pool(data.synthetic)]
        shares = np.where(
            [[real_frac > 0], [real_frac < 1]], [pool.counts > 0 for pool in self._pools], False
        )
        self._real_share = np.where(shares[0] & shares[1], real_frac, shares[0].astype(float))
        self._candidates = np.flatnonzero(shares.any(0))
        if len(self._candidates) < 2:
            raise DataError(
                f"training: {len(self._candidates)} items have a query, expected at least 2. Give "
                "a search log, or raise synthesize.ratio and synthesize.max_per_item."
            )
        self._items_per_step = min(items_per_step, len(self._candidates))
        self._queries_per_item = queries_per_item
        self._seed = seed
        self._left_out, self._misspelled_frac = left_out, misspelled_frac
        self._hard = hard
        self._augment = AugmentParams()

    def vary_pictures(self, augment: AugmentParams) -> None:
        """Look at pictures differently in every step."""
        self._augment = augment

    def leave_out(self, items: NDArray[np.int64]) -> None:
        """Draw none of these rows of the item table, so that they can be tried later."""
        self._candidates = np.setdiff1d(self._candidates, items)
        self._items_per_step = min(self._items_per_step, len(self._candidates))

    def draw(self, step: int) -> Draw:
        """Return the pairs of a step, counted from 0."""
        items = self._items_of(step)
        rng = generator(self._seed, "queries", step)
        target = np.repeat(np.arange(len(items)), self._queries_per_item)
        owners = items[target]
        is_real = rng.random(len(owners)) < self._real_share[owners]
        position = rng.random(len(owners))
        (of_real, grade_of_real), (of_synthetic, grade_of_synthetic) = (
            pool.pick(owners, position) for pool in self._pools
        )
        queries = np.where(is_real, of_real, of_synthetic)
        grade = np.where(is_real, grade_of_real, grade_of_synthetic)
        if self._hard:
            hard_rng = generator(self._seed, "hard", step)
            extra = hard_items(self._hard, queries, items, hard_rng)
            items = np.concatenate([items, extra])
        hidden, slips = self._hidden_of(step, len(items)), self._slips_of(step, len(queries))
        views = Views(self._seed, step, self._augment) if self._augment.changes else None
        forgotten, untold = self._forgotten_in(step), self._untold_of(step, len(items))
        return Draw(items, queries, target, grade, hidden, slips, views, forgotten, untold)

    def _hidden_of(self, step: int, num_items: int) -> NDArray[np.bool_] | None:
        if not self._left_out.fields:
            return None
        rng = generator(self._seed, "fields", step)
        return rng.random((num_items, len(FIELDS))) < self._left_out.fields

    def _untold_of(self, step: int, num_items: int) -> NDArray[np.bool_] | None:
        if not self._left_out.searched:
            return None
        rng = generator(self._seed, "searched", step)
        return rng.random((num_items, MOST)) < self._left_out.searched

    def _forgotten_in(self, step: int) -> Forgotten | None:
        if not self._left_out.words:
            return None
        seed = int(generator(self._seed, "words", step).integers(2**62))
        return Forgotten(self._left_out.words, seed)

    def _slips_of(self, step: int, num_queries: int) -> NDArray[np.int64] | None:
        if not self._misspelled_frac:
            return None
        rng = generator(self._seed, "slips", step)
        seeds = rng.integers(2**62, size=num_queries)
        return np.where(rng.random(num_queries) < self._misspelled_frac, seeds, -1)

    def _items_of(self, step: int) -> NDArray[np.int64]:
        per_epoch = len(self._candidates) // self._items_per_step
        epoch, place = divmod(step, per_epoch)
        order = generator(self._seed, "items", epoch).permutation(self._candidates)
        start = place * self._items_per_step
        return np.sort(order[start : start + self._items_per_step])


class _Pool:
    """Pairs by item, drawn by weight."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self.counts = np.diff(pairs.offsets)
        if pairs.weight is not None:
            self._cumulative = np.concatenate([[0.0], np.cumsum(pairs.weight)])

    def pick(
        self, items: NDArray[np.int64], position: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return a query row and its grade per item; anything where the item has none."""
        pairs = self._pairs
        if not len(pairs):
            return np.zeros(len(items), np.int64), np.zeros(len(items))
        starts, ends = pairs.offsets[items], pairs.offsets[items + 1]
        if pairs.weight is None:  # the sum of weights before a pair is its place
            pair = (starts + position * (ends - starts)).astype(np.int64)
        else:
            low, high = self._cumulative[starts], self._cumulative[ends]
            drawn = low + position * (high - low)
            pair = np.searchsorted(self._cumulative, drawn, side="right") - 1
        pair = np.clip(pair, starts, np.maximum(ends - 1, starts))
        pair = np.minimum(pair, len(pairs) - 1)
        return pairs.query[pair].astype(np.int64), pairs.grade_of(pair)
