"""The words of items that no search has used: what a model has learned nothing of from the log.

Shapes: V words.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smar.errors import ArtifactError
from smar.index.relevance import QueryFacts
from smar.index.words import WordIndex

_FILE = "unseen.npy"


def lacking(words: WordIndex, query: str) -> list[str]:
    """Return the words of a query that no text has, in their first form."""
    return [first for first, numbers in words.forms(query) if not numbers]


def missing(words: WordIndex, query: str, asked: Container[str]) -> tuple[float, float]:
    """Return the shares of a query's idf that no text has: in words no one uses, and in others.

    Both in [0, 1]; a query without a word is unknown: (1.0, 0.0).

    Args:
        words: The words of the items.
        query: The query.
        asked: Words that searches use, in their first form, though no text has them.
    """
    idf, unknown = words.idf()
    known = no_one = others = 0.0
    for first, numbers in words.forms(query):
        known += max((float(idf[number]) for number in numbers), default=0.0)
        if not numbers:
            no_one += unknown * (first not in asked)
            others += unknown * (first in asked)
    whole = known + no_one + others
    return (no_one / whole, others / whole) if whole else (1.0, 0.0)


def told_by(words: WordIndex, query: str, asked: Container[str]) -> QueryFacts:
    """Return what the words of the items tell of a query; `asked` as for `missing`."""
    known = [numbers for _, numbers in words.forms(query) if numbers]
    shares = words.best(query, 1)[1]
    return QueryFacts(
        *missing(words, query, asked),
        share=float(shares[0]) if len(shares) else 0.0,
        known=len(known),
        rarity=1 / (1 + _holding(words, known)) if known else 0.0,
    )


def _holding(words: WordIndex, known: Sequence[Sequence[int]]) -> int:
    """Return how many items hold every word of several, each in any of its forms, by number."""
    postings = words.postings
    first, *others = sorted(known, key=lambda numbers: sum(len(postings.of(n)[0]) for n in numbers))
    of_forms = [postings.of(number)[0] for number in first]
    # A word has most often one form, whose items are in order; `unique` loads a library, too.
    held = of_forms[0] if len(of_forms) == 1 else np.unique(np.concatenate(of_forms))
    rows = held.astype(np.int64)
    for numbers in others:
        rows = rows[postings.sums_of(numbers, rows) > 0]
    return len(rows)


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
        mask[words.numbers_in(trained)] = False
        return cls(share, mask)

    def has(self, words: WordIndex, text: str) -> bool:
        """Return whether a query has a word of items of which no search has used any form."""
        return any(
            bool(numbers) and bool(self.mask[numbers].all()) for _, numbers in words.forms(text)
        )

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
