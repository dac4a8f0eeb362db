"""Why text, picture and words count as much as they do: what each word of the query changes.

Shapes: Q queries, W words of a query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from smar.index.hybrid import HybridIndex
from smar.models.embeddings import QueryEmbeddings

_SURE = 1e-6  # P is never nearer to 0 or 1 than this, where float32 ends

Known = Literal["yes", "not searched for", "in no item", "to no one"]
"""Whether a word is known: to items and searches, to items only, to searches only, to neither."""


@dataclass(frozen=True)
class WordReason:
    """What a word does to the weights of its query.

    Args:
        word: As the query writes it.
        picture: The logit of P(q) minus that of the query without it: above 0 it speaks for the
            picture, and 1 is from .5 to .73. Where P is near 0 or 1, it would hide in P itself.
            Of a query of one word, the logit of P(q).
        known: Who knows it. A word that no search used makes words count more
            (`HybridIndex.share_of`).
    """

    word: str
    picture: float
    known: Known

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {"word": self.word, "picture": round(self.picture, 3), "known": self.known}

    def __str__(self) -> str:
        change = f"{self.word} {self.picture:+.1f}"
        return change if self.known == "yes" else f"{change} ({self.known})"


def reasons_of(
    index: HybridIndex, texts: Sequence[str], encode: Callable[[list[str]], QueryEmbeddings]
) -> list[list[WordReason]]:
    """Return what each word of each query changes; all that is left out is encoded in one batch.

    Args:
        index: Knows the words of items and searches.
        texts: Normalised queries, [Q], each with a word at least.
        encode: Returns queries as the model sees them.
    """
    without = [list(_without_each(text.split())) for text in texts]
    asked = list(dict.fromkeys([*texts, *(text for of_query in without for text in of_query)]))
    gate = (
        np.clip(encode(asked).gate.astype(np.float64), _SURE, 1 - _SURE) if asked else np.empty(0)
    )
    logits = dict(zip(asked, np.log(gate / (1 - gate)).tolist(), strict=True))
    found = []
    for text, others in zip(texts, without, strict=True):
        words = text.split()
        bases = [logits[other] for other in others] or [0.0]
        found.append(
            [
                WordReason(word, logits[text] - base, _known(index, word))
                for word, base in zip(words, bases, strict=True)
            ]
        )
    return found


def _without_each(words: list[str]) -> Sequence[str]:
    """Return a query without each of its words, nothing of a query of one."""
    if len(words) < 2:
        return []
    return [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]


def _known(index: HybridIndex, word: str) -> Known:
    forms = index.words.forms(word)
    if any(numbers for _, numbers in forms):
        unseen = index.unseen is not None and index.unseen.has(index.words, word)
        return "not searched for" if unseen else "yes"
    asked = index.calibration.asked if index.calibration else frozenset()
    return "in no item" if any(first in asked for first, _ in forms) else "to no one"
