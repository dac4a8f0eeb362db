"""Texts and pictures of a catalogue as flat arrays that a batch is gathered from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenTable:
    """Texts as token ids, encoded once.

    Args:
        ids: int32, [N, L], padded with the tokenizer's padding id.
        lengths: int32, [N], each at least 1.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]


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
