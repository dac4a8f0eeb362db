"""Texts of a step's items with the words that searches used of them.

Shapes: B items of a step, N items, F fields of an item's text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smar.data.searched_words import SearchedWords, with_words
from smar.data.token_table import TokenTable
from smar.train.sampling import Draw


@dataclass(frozen=True)
class SearchedTexts:
    """Reads the texts of a draw's items anew: no item is told what a query of the step says of it.

    Args:
        words: What searches say of the items.
        queries: Query texts, by the rows that draws have.
        encode: Returns the tokens of texts whose fields begin at [B, F].
        texts: Of all items, [N].
        starts: Where each of their fields begins, [N, F].
    """

    words: SearchedWords
    queries: Sequence[str]
    encode: Callable[[Sequence[str], NDArray[np.int64]], TokenTable]
    texts: Sequence[str]
    starts: NDArray[np.int64]

    def __call__(self, draw: Draw) -> TokenTable:
        """Return the tokens of a draw's items, [B]."""
        queries = (self.queries[row] for row in draw.queries.tolist())
        asked = zip(draw.target.tolist(), queries, strict=True)
        words = self.words.beside(draw.items, asked, draw.untold)
        texts = with_words([self.texts[row] for row in draw.items], words)
        return self.encode(texts, self.starts[draw.items])
