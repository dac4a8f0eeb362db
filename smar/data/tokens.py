"""Texts and pictures of a catalogue as flat arrays that a batch is gathered from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smar.data.token_table import TokenTable
from smar.errors import ShapeError


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
    fields, lengths = table.fields[rows], table.lengths[rows]
    number = np.arange(len(rows))[:, None]
    of_field = fields >= 0
    dropped = of_field & hidden[number, fields]
    dropped &= (of_field & ~dropped).any(axis=1, keepdims=True)
    kept = ~dropped & (np.arange(fields.shape[1]) < lengths[:, None])
    order = np.argsort(~kept, axis=1, kind="stable")
    return TokenTable(table.ids[rows[:, None], order], kept.sum(1).astype(np.int32))


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
