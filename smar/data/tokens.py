"""Texts and pictures of a catalogue as flat arrays that a batch is gathered from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smar.data.token_table import TokenTable
from smar.errors import ShapeError

_MIXED = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


@dataclass(frozen=True)
class PictureTable:
    """Which pictures belong to which item, as one flat list with offsets.

    Args:
        image_ids: Rows of the picture store, item after item.
        offsets: Where each item's pictures start, [N + 1].
    """

    image_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, items: pd.DataFrame) -> "PictureTable":
        """Return the pictures of an item table."""
        counts = items["image_ids"].str.len().to_numpy(np.int64)
        flat = np.concatenate([*items["image_ids"], np.empty(0, np.int64)]).astype(np.int64)
        return cls(flat, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def of_items(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the image ids of items and, for each, the place of its item within `rows`."""
        counts = self.offsets[rows + 1] - self.offsets[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.image_ids[self.offsets[rows][owner] + within], owner


@dataclass(frozen=True)
class Forgotten:
    """Which words of item texts are left out: of each item its own, the same ones in every batch.

    Args:
        share: Chance that a word is left out, in [0, 1).
        seed: Decides which.
    """

    share: float
    seed: int

    def drops(self, ids: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which tokens are left out, [B, L]: a word that a text has twice both times.

        Args:
            ids: Tokens of the texts, [B, L].
            rows: Rows of the items in their table, [B].
        """
        key = rows.astype(np.uint64)[:, None] << np.uint64(32) | ids.astype(np.uint64)
        key ^= np.uint64(self.seed)
        for shift, factor in _MIXED:  # the finalizer of splitmix64: close keys, far numbers
            key = (key ^ key >> np.uint64(shift)) * np.uint64(factor)
        drawn: NDArray[np.bool_] = (key >> np.uint64(11)) * 2.0**-53 < self.share
        return drawn


def forget_words(
    table: TokenTable, rows: NDArray[np.int64], forgotten: Forgotten, items: NDArray[np.int64]
) -> TokenTable:
    """Return some rows of a table without what is forgotten of them.

    What is left closes up. A text of which nothing would be left stays whole, special tokens always
    stay. A word of several tokens may keep some of them, as if it were misspelled.

    Args:
        table: Texts with their fields.
        rows: Rows of the table, [B].
        forgotten: What is left out.
        items: Rows of the items that these are the texts of, [B].

    Raises:
        ShapeError: If the texts were encoded without their fields.
    """
    if table.fields is None:
        raise ShapeError("forget_words: the table does not say which tokens are of a field.")
    return _without(table, rows, forgotten.drops(table.ids[rows], items))


def mask_fields(
    table: TokenTable, rows: NDArray[np.int64], hidden: NDArray[np.bool_]
) -> TokenTable:
    """Return some rows of a table without the tokens of hidden fields.

    What is left closes up, as if the field had been empty. A text whose every field is hidden is
    left whole. The ids behind a row's length are no padding tokens; nothing reads them.

    Args:
        table: Texts with their fields.
        rows: Rows of the table, [B].
        hidden: True where a field is hidden, [B, F].

    Raises:
        ShapeError: If the texts were encoded without their fields.
    """
    if table.fields is None:
        raise ShapeError("mask_fields: the table does not say which field a token belongs to.")
    number = np.arange(len(rows))[:, None]
    return _without(table, rows, hidden[number, table.fields[rows]])


def _without(table: TokenTable, rows: NDArray[np.int64], dropped: NDArray[np.bool_]) -> TokenTable:
    """Return some rows without the tokens of fields that are dropped, [B, L], or whole."""
    of_field = table.fields[rows] >= 0  # type: ignore[index]  # the callers have looked
    dropped = dropped & of_field
    dropped &= (of_field & ~dropped).any(axis=1, keepdims=True)
    kept = ~dropped & (np.arange(of_field.shape[1]) < table.lengths[rows][:, None])
    order = np.argsort(~kept, axis=1, kind="stable")
    fields = np.take_along_axis(table.fields[rows], order, 1)  # type: ignore[index]
    return TokenTable(table.ids[rows[:, None], order], kept.sum(1).astype(np.int32), fields)


def token_tensors(
    table: TokenTable, rows: NDArray[np.int64], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids [B, longest of these rows] and lengths [B] of some rows of a table."""
    lengths = table.lengths[rows]
    ids = table.ids[rows, : int(lengths.max(initial=1))]
    return (
        torch.from_numpy(ids.astype(np.int64)).to(device),
        torch.from_numpy(lengths.astype(np.int64)).to(device),
    )


def text_tensors(
    table: TokenTable,
    rows: NDArray[np.int64],
    states: NDArray[np.float16] | None,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a text tower takes: `token_tensors`, or kept states [B, H] with lengths of 1."""
    if states is None:
        return token_tensors(table, rows, device)
    ones = torch.ones(len(states), dtype=torch.int64, device=device)
    return torch.from_numpy(states).to(device), ones
