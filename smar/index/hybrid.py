"""Hybrid search: what the vectors find and what the words find, in one ranking.

Shapes: Q queries, K vectors a query, C candidates, N items, k results, D embedding length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest
from smar.errors import DataError
from smar.index.allowed import Allowed
from smar.index.ann import VectorIndex, gated_queries, whole_k
from smar.index.candidates import Candidates, others
from smar.index.clock import Clock
from smar.index.exclusive_words import ExclusiveWords
from smar.index.postings import Shares
from smar.index.query_vectors import Found
from smar.index.relevance import Calibration, QueryFacts
from smar.index.settings import DEPTH
from smar.index.shard_files import Take, index_directory
from smar.index.sought import Sought, sought
from smar.index.spelling import Spelling
from smar.index.unseen import UnseenWords, told_by
from smar.index.word_files import load_words, write_words
from smar.index.words import WordIndex
from smar.models.embeddings import QueryEmbeddings
from smar.verified import Verified

_REMEMBERED = 10_000  # queries of which is known what the items' words tell
_WORDS = "words"
# Of a hybrid index, beside its vectors' own.
_DETAILS = (
    "word_share", "unseen_share", "exclusive_words", "relevance", "spelling", "negation",
)  # fmt: skip


@dataclass(frozen=True)
class HybridIndex:
    """Items that can be searched by gated vectors and by words.

    `score(q, i) = (1 - w) Q(q) . [S_t ; S_m](i) + w BM25(q, i) / idf(q)`, in [-1, 1]: a convex
    combination (Bruch et al., 2023) of the gated similarity and of the share of the query's words
    that the item's text holds (`WordIndex`). From the latter is taken how much speaks against the
    item (`ExclusiveWords`).

    Args:
        vectors: The vector index.
        words: The word index over the same items.
        word_share: w, in [0, 1), of a query whose words searches have used.
        calibration: Makes probabilities of scores, None where there was nothing to fit it to.
        unseen: Words whose queries have a share of their own, None where all have the same.
        spelling: Reads words that nobody knows as known ones, None where they stay as typed.
        exclusive: Words that exclude each other, None where none speaks against any item.
        negation: Whether what a query denies is left out, and not searched.
    """

    vectors: VectorIndex
    words: WordIndex
    word_share: float
    calibration: Calibration | None = None
    unseen: UnseenWords | None = None
    spelling: Spelling | None = None
    exclusive: ExclusiveWords | None = None
    negation: bool = True

    @classmethod
    def load(cls, path: Path, verified: Verified | None = None) -> "HybridIndex":
        """Return the index of a directory artefact; one of before there were words has none.

        Args:
            path: The directory.
            verified: Know what was hashed before; None: every file is hashed.

        Raises:
            ArtifactError: If it is missing or damaged, or its parts do not belong together.
        """
        vectors = VectorIndex.load(path, verified)
        num_items = len(vectors.item_ids)
        if "word_share" not in vectors.details:
            return cls(vectors, WordIndex.build([""] * num_items), 0.0)
        words = load_words(path / _WORDS, num_items)
        calibration = Calibration.read(vectors.details.get("relevance"))
        share = float(vectors.details["word_share"])
        unseen = None
        if "unseen_share" in vectors.details:
            unseen = UnseenWords.load(path / _WORDS, float(vectors.details["unseen_share"]))
        is_read = bool(vectors.details.get("spelling"))
        spelling = Spelling.load(path / _WORDS, words) if is_read else None
        exclusive = None
        if "exclusive_words" in vectors.details:
            weight = float(vectors.details["exclusive_words"])
            exclusive = ExclusiveWords.load(path / _WORDS, weight)
        negation = bool(vectors.details.get("negation", True))
        return cls(vectors, words, share, calibration, unseen, spelling, exclusive, negation)

    def hastened(self) -> "HybridIndex":
        """Return the index as one that is searched many times has it, for the same results.

        Words are searched by compiled code (`compiled_words`), and what is searched exactly is
        looked for among rounded vectors first (`rounded`).
        """
        self.words.hasten()
        exclusive = self.exclusive.hastened() if self.exclusive else None
        return replace(self, vectors=self.vectors.hastened(), exclusive=exclusive)

    @property
    def item_ids(self) -> list[str]:
        """Ids, in the order of the rows, [N]."""
        return self.vectors.item_ids

    def read(self, texts: Sequence[str]) -> list[str]:
        """Return normalised queries as they are searched: what is misspelled is mended.

        Queries go through it once, before they are encoded; the other methods take what it returns.
        """
        return list(texts) if self.spelling is None else [*map(self.spelling.read, texts)]

    def is_mended(self, typed: str, read: str) -> bool:
        """Return whether a query is read as other words, and not only with other endings."""
        return self.spelling is not None and self.spelling.is_mended(typed, read)

    def sought(self, text: str) -> Sought:
        """Return what is searched for a normalised, mended query: what it denies is left out."""
        return sought(self.words, text) if self.negation else Sought(text)

    def share_of(self, text: str) -> float:
        """Return w of a normalised query: a word that no search has used is found by words."""
        if self.unseen is None or not self.unseen.has(self.words, text):
            return self.word_share
        return max(self.word_share, self.unseen.share)

    def search(
        self,
        texts: Sequence[str],
        encoded: QueryEmbeddings,
        k: int,
        allowed: Allowed | None = None,
        clock: Clock | None = None,
    ) -> Found:
        """Return scores in [-1, 1] and item rows, best first; row -1 means none.

        Args:
            texts: Query texts as `read` gives them, [Q].
            encoded: The same queries as the model sees them.
            k: Results per query, at least 1; more than there are items are as many as those, N.
            allowed: The items that may be found, None for all. What is left of the ranking of all
                items: how rare a word is stays a matter of the whole catalogue.
            clock: Is told the time of vectors, words and ranking.

        Returns:
            Scores and rows, [Q, min(k, N)] each.

        Raises:
            DataError: If k is no whole number or below 1, or the vectors have another
                length than the index.
        """
        queries = gated_queries(encoded.vector, encoded.gate)
        k = whole_k(k, len(self.item_ids))
        clock = clock or Clock()
        shares = [self.share_of(text) for text in texts]
        if not any(shares):
            with clock("vectors"):
                return self.vectors.search(queries, k, allowed)
        scores = np.full((len(texts), k), -np.inf, np.float32)
        rows = np.full((len(texts), k), -1, np.int64)
        if allowed is not None and not len(allowed):
            return scores, rows
        for place, found in enumerate(self.candidates(texts, queries, k, allowed, clock)):
            with clock("ranking"):
                best_scores, best_rows = found.best(shares[place], k)
            scores[place, : len(best_rows)] = best_scores
            rows[place, : len(best_rows)] = best_rows
        return scores, rows

    def likely(self, text: str, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability that hits of a normalised query are relevant, by score, [k].

        Raises:
            DataError: If the index has no calibration.
        """
        if self.calibration is None:
            raise DataError("this index has no calibration: no judged query, click or word to fit.")
        return self.calibration.of(scores, self._told_by(text))

    @cached_property
    def _told_by(self) -> Callable[[str], QueryFacts]:
        """What the calibration asks of a query beside its hits' scores, remembered."""
        asked = self.calibration.asked if self.calibration else frozenset[str]()
        return lru_cache(_REMEMBERED)(partial(told_by, self.words, asked=asked))

    def candidates(
        self,
        texts: Sequence[str],
        queries: NDArray[np.float32],
        k: int,
        allowed: Allowed | None = None,
        clock: Clock | None = None,
    ) -> Iterator[Candidates]:
        """Yield the items worth ranking for each query: the best by vectors and by words.

        Args:
            texts: Normalised query texts, [Q].
            queries: Gated queries, [Q, 2 D] or [Q, K, 2 D].
            k: Results wanted; `max(k, 200)` items of each kind are scored at once, further ones if
                their words could bring them among the k best.
            allowed: The items that may be found, at least one; None for all.
            clock: Is told the time of vectors and words.
        """
        clock = clock or Clock()
        size = len(self.item_ids) if allowed is None else len(allowed)
        depth = min(max(k, DEPTH), size)
        with clock("vectors"):
            similarities, nearest = self.vectors.search(queries, depth, allowed)
        mask = None if allowed is None else allowed.mask
        for place, (text, query) in enumerate(zip(texts, queries, strict=True)):
            with clock("words"):
                best, shares = self.words.best(text, depth, mask)
            with clock("ranking"):
                by_row = np.argsort(nearest[place])  # words are looked up in this order fastest
                by_row = by_row[nearest[place][by_row].searchsorted(0) :]  # -1 is none
                near = nearest[place][by_row]
                is_new = others(near, best)
                further = best[is_new]
                rows = np.concatenate([near, further])
                similarity = np.concatenate(
                    [
                        # What one vector of a query finds may be nearer to another one.
                        similarities[place][by_row]
                        if query.ndim == 1
                        else self.vectors.similarities(query, near),
                        self.vectors.similarities(query, further),
                    ]
                )
                words = np.concatenate([self.words.shares_of(text, near), shares[is_new]])
                words = self._less(text, rows, words)
            is_all = len(near) == size
            yield Candidates(
                rows=rows,
                similarity=similarity,
                words=words,
                farthest=-np.inf if is_all else float(similarities[place][: len(near)].min()),
                least=float(shares[-1]) if len(best) == depth else 0.0,
                reaching=partial(self._reaching, text, mask),
                similarities=partial(self.vectors.similarities, query),
            )

    def word_scores(self, text: str) -> NDArray[np.float32]:
        """Return what words alone score of every item for a normalised query, [N]."""
        return self._less(text, np.arange(len(self.item_ids)), self.words.shares(text))

    def excluded(self, text: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a normalised query that speak against each item of some rows."""
        if self.exclusive is None:
            return [[] for _ in rows]
        return self.exclusive.excluded(self.words, text, rows)

    def _less(
        self, text: str, rows: NDArray[np.int64], shares: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return shares of the words of a query in items less what speaks against these, [C]."""
        if self.exclusive is None:
            return shares
        return shares - self.exclusive.against(self.words, text, rows)

    def _reaching(self, text: str, mask: NDArray[np.bool_] | None, least: float) -> Shares:
        """Return the items whose words have at least a share, and what these score."""
        rows, shares = self.words.reaching(text, least, mask)
        return rows, self._less(text, rows, shares)


def write_index(
    path: Path, index: HybridIndex, manifest: Manifest, take: Take | None = None
) -> None:
    """Write an index as a directory artefact, whole or not at all.

    What it says of itself is what it is now, also where it was loaded and changed.

    Args:
        path: The directory.
        index: The index.
        manifest: Of the directory.
        take: Puts files there that need not be written; None: all are written.
    """
    manifest.details |= {"word_share": index.word_share, "negation": index.negation}
    if index.unseen is not None:
        manifest.details["unseen_share"] = index.unseen.share
    if index.exclusive is not None:
        manifest.details["exclusive_words"] = index.exclusive.weight
    if index.spelling is not None:
        manifest.details["spelling"] = len(index.spelling.counts)
    if index.calibration is not None:
        manifest.details["relevance"] = index.calibration.as_dict()
    of_vectors = {name: v for name, v in index.vectors.details.items() if name not in _DETAILS}
    vectors = replace(index.vectors, details=of_vectors)
    with index_directory(path, vectors, manifest, take) as folder:
        write_words(index.words, folder / _WORDS)
        if index.unseen is not None:
            index.unseen.write(folder / _WORDS)
        if index.exclusive is not None:
            index.exclusive.write(folder / _WORDS)
        if index.spelling is not None:
            index.spelling.write(folder / _WORDS)
