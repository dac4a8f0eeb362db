"""The words of items that no search has used: what a model has learned nothing of from the log.

Shapes: V words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smar.errors import ArtifactError
from smar.index.words import WordIndex

_FILE = "unseen.npy"


@dataclass(frozen=True)
class UnseenWords:
    """The words that queries count by themselves for.

    Args:
        share: How much words count in a query that has one of them, in [0, 1).
        mask: Which of the index's words they are, by number, [V].
    """

    share: float
    mask: NDArray[np.bool_]

    @classmethod
    def of(cls, words: WordIndex, trained: Sequence[str], share: float) -> Self:
        """Return the words of an index that are in no training query."""
        mask = np.ones(len(words.postings), np.bool_)
        for text in trained:
            mask[words.numbers(text)] = False
        return cls(share, mask)

    @classmethod
    def load(cls, folder: Path, share: float) -> Self:
        """Return what `write` wrote.

        Raises:
            ArtifactError: If the file is missing or cannot be read.
        """
        try:
            return cls(share, np.load(folder / _FILE, allow_pickle=False).astype(np.bool_))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{folder / _FILE}: cannot be read ({error}). Run `dvc repro`."
            ) from error

    def write(self, folder: Path) -> None:
        """Write the mask beside the words."""
        np.save(folder / _FILE, self.mask)
