"""Training batches: drawn as a pure function of seed and step, assembled in the background.

Shapes: Q queries, B items, F fields of an item's text, M pictures, L tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smar.data.item_source import ItemSource
from smar.data.text import FIELDS
from smar.data.tokens import PictureTable, TokenTable, mask_fields, text_tensors, token_tensors
from smar.errors import DataError
from smar.seeding import generator
from smar.train.dataset import TrainingData
from smar.train.misspell import misspell
from smar.train.negatives import HardPool, hard_items
from smar.train.pairs import Pairs

_PREFETCH = 2


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
    """

    items: NDArray[np.int64]
    queries: NDArray[np.int64]
    target: NDArray[np.int64]
    grade: NDArray[np.float64]
    hidden: NDArray[np.bool_] | None
    slips: NDArray[np.int64] | None


@dataclass(frozen=True)
class Batch:
    """One step's tensors.

    Args:
        query_ids: Token ids of the queries, [Q, L].
        query_lengths: Tokens of each query, [Q].
        item_ids: Token ids of the items, [B, L]; or states [B, H] that a frozen tower gave.
        item_lengths: Tokens of each item, [B].
        pictures: uint8, [M, height, width, 3]; or features [M, F] of a frozen tower.
        owner: Position of the item each picture belongs to, [M].
        target: Position of each query's own item, [Q].
        allowed: True where an item may stand as a negative of a query, [Q, B].
        shown: True where the shop showed an item for a query and nobody engaged, [Q, B].
        grade: Engagement grade of each query with its own item, in (0, 4], [Q].
        visual: 1.0 where the query's own item is bought by eye, [Q].
        group: Items with equal numbers are one thing to a shopper, [B].
    """

    query_ids: Tensor
    query_lengths: Tensor
    item_ids: Tensor
    item_lengths: Tensor
    pictures: Tensor
    owner: Tensor
    target: Tensor
    allowed: Tensor
    shown: Tensor
    grade: Tensor
    visual: Tensor
    group: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class PairSampler:
    """Draws items without replacement epoch by epoch, and for each some of its queries.

    Every item is encoded once and serves `queries_per_item` queries of the step.

    Args:
        data: The training data.
        items_per_step: B; fewer if the catalogue is smaller.
        queries_per_item: Queries drawn for each item.
        real_frac: Share of draws from the log, where an item has both kinds of pairs.
        seed: The draw of a step depends on this and on the step alone.
        field_mask_frac: Chance that a field of an item's text is left out of a step.
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
        field_mask_frac: float = 0.0,
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
        self._field_mask_frac, self._misspelled_frac = field_mask_frac, misspelled_frac
        self._hard = hard

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
        return Draw(items, queries, target, grade, hidden, slips)

    def _hidden_of(self, step: int, num_items: int) -> NDArray[np.bool_] | None:
        if not self._field_mask_frac:
            return None
        rng = generator(self._seed, "fields", step)
        return rng.random((num_items, len(FIELDS))) < self._field_mask_frac

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


class BatchMaker:
    """Turns draws into tensors.

    Item tokens and pictures are looked up. Queries are encoded when they are drawn: a run sees few
    of the many that a catalogue has.

    Args:
        data: The training data.
        encode_queries: Returns the token ids of query texts.
        item_tokens: Token ids of the item texts.
        pictures: Which pictures belong to which item.
        images: The picture store, or the features of frozen towers.
        item_texts: What the text tower sees of each item, by which its states may be kept.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        encode_queries: Callable[[list[str]], TokenTable],
        item_tokens: TokenTable,
        pictures: PictureTable,
        images: ItemSource,
        item_texts: Sequence[str] = (),
    ) -> None:
        self._data = data
        self._item_texts = item_texts
        self._encode_queries, self._item_tokens = encode_queries, item_tokens
        self._pictures, self._images = pictures, images

    def make(self, draw: Draw) -> Batch:
        """Return the tensors of a draw."""
        cpu = torch.device("cpu")
        tokens = self._encode_queries(self._queries_of(draw))
        query_ids, query_lengths = token_tensors(tokens, np.arange(len(draw.queries)), cpu)
        if draw.hidden is None:
            states = self._images.states_of([self._item_texts[row] for row in draw.items])
            item_ids, item_lengths = text_tensors(self._item_tokens, draw.items, states, cpu)
        else:
            masked = mask_fields(self._item_tokens, draw.items, draw.hidden)
            item_ids, item_lengths = token_tensors(masked, np.arange(len(draw.items)), cpu)
        image_ids, owner = self._pictures.of_items(draw.items)
        allowed, shown = negatives_of(self._data, draw.queries, draw.items, draw.target)
        return Batch(
            query_ids=query_ids,
            query_lengths=query_lengths,
            item_ids=item_ids,
            item_lengths=item_lengths,
            pictures=torch.from_numpy(self._images.read(image_ids)),
            owner=torch.from_numpy(owner),
            target=torch.from_numpy(draw.target),
            allowed=torch.from_numpy(allowed),
            shown=torch.from_numpy(shown),
            grade=torch.from_numpy(draw.grade.astype(np.float32)),
            visual=torch.from_numpy(self._data.visual[draw.items[draw.target]].astype(np.float32)),
            group=torch.from_numpy(self._data.group[draw.items]),
        )

    def _queries_of(self, draw: Draw) -> list[str]:
        """Return the texts of a draw's queries, misspelled where they are to be."""
        queries = [self._data.queries[row] for row in draw.queries]
        if draw.slips is None:
            return queries
        pairs = zip(queries, draw.slips.tolist(), strict=True)
        return [
            query if slip < 0 else misspell(query, Random(slip))  # noqa: S311 - no secret
            for query, slip in pairs
        ]


def negatives_of(
    data: TrainingData,
    queries: NDArray[np.int64],
    items: NDArray[np.int64],
    target: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which items may stand against which queries, and which were shown, [Q, B] each.

    Left out are items engaged for the same query text, items that hold every word of the query in
    their text or in queries they were engaged for (they probably fit it as well), and items equal
    to the query's own. What the shop
    showed for the query without anybody engaging may stand although it holds every word.
    """
    known = data.known(queries, items)
    holds_all = data.holds_words(queries, items)
    same = data.group[items][None, :] == data.group[items[target]][:, None]
    shown = np.zeros(known.shape, bool)
    if data.shown is not None:
        shown = (data.shown[queries][:, items].toarray() > 0) & ~known & ~same
    return ~(known | same | (holds_all & ~shown)), shown


def prefetch(maker: BatchMaker, sampler: PairSampler, first: int, last: int) -> Iterator[Batch]:
    """Yield the batches of steps `first` to `last` - 1, assembled in a background thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = [
            pool.submit(lambda s: maker.make(sampler.draw(s)), step)
            for step in range(first, min(first + _PREFETCH, last))
        ]
        for step in range(first, last):
            batch = waiting.pop(0).result()
            if step + _PREFETCH < last:
                waiting.append(pool.submit(lambda s: maker.make(sampler.draw(s)), step + _PREFETCH))
            yield batch
