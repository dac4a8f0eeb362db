"""What is searched for a query that says what is not wanted, and which items it leaves out.

Shapes: N items, C rows, Q queries, k results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smar.data.negation import DENIALS, Denials, negation_of
from smar.index.allowed import Allowed
from smar.index.query_vectors import Found
from smar.models.embeddings import QueryEmbeddings

if TYPE_CHECKING:
    from smar.index.hybrid import HybridIndex
    from smar.index.words import WordIndex

_OFTEN, _LEAST, _FEWEST = 3, 0.1, 3  # of texts in which a word denies; below, it is by chance
_SURE = 0.8  # of a word's surest picture: from there on an item is left out for it


@dataclass(frozen=True)
class Sought:
    """What is searched for a query.

    Args:
        text: Is encoded and looked up among words.
        left_out: What the items that are left out have, as the query writes it.
        rows: These items, ascending, [C].
    """

    text: str
    left_out: tuple[str, ...] = ()
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), compare=False)

    def among(self, allowed: Allowed | None, num_items: int) -> Allowed | None:
        """Return those of the allowed items, None for all, that are not left out."""
        if not len(self.rows):
            return allowed
        mask = np.ones(num_items, np.bool_) if allowed is None else allowed.mask.copy()
        mask[self.rows] = False
        return Allowed(mask)


def sought(words: "WordIndex", text: str) -> Sought:
    """Return what is searched for a normalised query.

    An item is left out if its text has what is not wanted, or its pictures tell it surely. One
    whose text has beside it a word that denies ("non stick", "sugar free") stays, and where there
    are such items the whole query is searched, for then texts speak of it. A word denies that is
    in a tenth of the texts with what is not wanted, three at least, and three times as frequent
    there as anywhere: "free shipping" does not. Where the shop writes "nonstick", that is searched,
    and items with it stay. A query is searched as it is in a language that is none of `DENIALS`,
    where neither texts nor clicks have a word that is not wanted, where that word denies itself,
    and where everything would be left out.
    """
    negation = negation_of(text, words.stemmer, lambda word: bool(words.numbers(word)))
    if negation is None:
        return Sought(text)
    denials = DENIALS[words.stemmer]
    unwanted, is_told = np.empty(0, np.int64), False
    for each in negation.unwanted:
        is_known = bool(each.joined) or all(map(words.numbers, each.phrase))
        if not is_known or not set(denials.all_denying).isdisjoint(each.phrase):
            return Sought(text)
        rows = reduce(np.intersect1d, [_having(words, word) for word in each.phrase])
        denied = _denied(words, each.phrase, denials)
        is_told = is_told or bool(len(denied))
        denied = np.union1d(denied, _having(words, each.joined)) if each.joined else denied
        unwanted = np.union1d(unwanted, np.setdiff1d(rows, denied))
    if len(unwanted) == len(words):
        return Sought(text)
    left_out = tuple(" ".join(each.phrase) for each in negation.unwanted)
    return Sought(text if is_told else negation.wanted, left_out, unwanted)


def search_sought(
    index: "HybridIndex", queries: Sequence[Sought], encoded: QueryEmbeddings, k: int
) -> Found:
    """Return what `HybridIndex.search` finds for queries, each without what it leaves out.

    Args:
        index: The index.
        queries: The queries, [Q].
        encoded: Their texts as the model sees them.
        k: Results per query.
    """
    scores, rows = index.search([query.text for query in queries], encoded, k)
    for place, query in enumerate(queries):
        if len(query.rows):
            allowed = query.among(None, len(index.item_ids))
            own = QueryEmbeddings(encoded.vector[[place]], encoded.gate[[place]])
            found = index.search([query.text], own, k, allowed)
            scores[place], rows[place] = found[0][0], found[1][0]
    return scores, rows


def _denied(words: "WordIndex", phrase: Sequence[str], denials: Denials) -> NDArray[np.int64]:
    """Return the rows of the items whose text says that they are without a phrase that it has."""
    texts = words.of_texts()
    rows = reduce(np.intersect1d, [_having(texts, word) for word in phrase])
    denied = np.empty(0, np.int64)
    for word in denials.all_denying:
        denying = _having(texts, word)
        both = np.intersect1d(rows, denying)
        is_often = len(both) * len(texts) >= _OFTEN * len(rows) * len(denying)
        if is_often and len(both) >= max(_FEWEST, _LEAST * len(rows)):
            denied = np.union1d(denied, both)
    return denied


def _having(words: "WordIndex", word: str) -> NDArray[np.int64]:
    """Return the rows of the items that have a word in their text or pictures."""
    found = [np.empty(0, np.int32)]
    for number in words.numbers(word):
        found.append(words.postings.of(number)[0])
        if number in words.shown:
            rows, weights = words.postings.of(words.shown[number])
            found.append(rows[weights >= _SURE * weights.max(initial=0)])
    return np.unique(np.concatenate(found)).astype(np.int64)
