"""Words that exclude each other, and which items are none of what a query asks for.

Words that an item has add to its score, but a word that it lacks takes nothing away: for "blue
shirt" a shirt that searches for red ones led to stands before one of which nothing is known. That
red is not blue the log says itself, for no item is found by both. So nobody has to name the kinds
of words, and colours, seasons, uses and brands are told alike.

Shapes: N items, W words that may exclude others, C items looked at, P pairs of an item and a word
that it has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from smar.errors import ArtifactError
from smar.index.compiled_words import readonly
from smar.index.told_words import ClickWord
from smar.index.words import WordIndex

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_LEAST = 0.3  # of a word's strength by clicks, for an item to have it
_FEWEST = 10  # items that clicks give a word, for it to say anything
_MOST = 512  # words, those of the most items
_CHANCE = 5.0  # items with both of two words that are as good as none
_CLEAR = 0.2  # of how much two words exclude each other; below, they do not
_WORDS = "exclusive.json"
_ARRAYS = ("excludes", "starts", "numbers", "strengths")


@dataclass(frozen=True)
class ExclusiveWords:
    """Which words exclude each other, and which of them items have.

    Args:
        weight: What is taken for a query that an item's words exclude wholly, in [0, 1].
        places: Place of each word among the W.
        excludes: How much the word of a row is excluded by that of a column, in [0, 1], [W, W].
        starts: Where the words of each item begin, and the end, [N + 1].
        numbers: Places of these words, [P].
        strengths: How surely the item has each: 1 by its text, less by its clicks, [P].
        loop: Compiled code that finds what speaks against items; None: numpy does.
    """

    weight: float
    places: dict[str, int]
    excludes: NDArray[np.float32]
    starts: NDArray[np.int64]
    numbers: NDArray[np.int16]
    strengths: NDArray[np.float32]
    loop: Callable[..., None] | None = None

    @classmethod
    def of(
        cls,
        words: WordIndex,
        told: Sequence[ClickWord],
        categories: Sequence[str] | pa.Array,
        weight: float = 1.0,
    ) -> Self:
        """Return the words of items that exclude each other.

        Of the items that clicks tell something, n_wv have both words w and v. If within each
        category c words came to items by chance, that would be e_wv = sum of n_wc n_vc / n_c. So

            x_wv = max(0, 1 - (n_wv + 5) / (e_wv + 5)),  below .2 as good as 0

        says how much they exclude each other: rare words have to be expected together to be missed.
        An item has a word of its text with strength 1, and one of its clicks with the root of its
        share of queries above that of all (`click_words`), if above .3. Words are the 512 that
        clicks give to the most items, at least ten.

        Args:
            words: The words of the items' texts.
            told: As `words_of_clicks` gives them.
            categories: Of each item, "" for none, [N].
            weight: As above.
        """
        strong = [(each, each.weights > _LEAST * each.most) for each in told]
        strong = [(each, is_one) for each, is_one in strong if is_one.sum() >= _FEWEST]
        strong.sort(key=lambda pair: (-int(pair[1].sum()), pair[0].word))
        strong = strong[:_MOST]
        by_clicks, by_item = _of_items(words.of_texts(), strong)
        is_told = np.diff(by_clicks.indptr) > 0
        coded = pa.array(categories, pa.string()).dictionary_encode()
        kind = np.asarray(coded.indices, np.int64)[is_told]
        return cls(
            weight,
            {each.word: place for place, (each, _) in enumerate(strong)},
            _excludes(by_item[is_told], kind, len(coded.dictionary)),
            by_item.indptr.astype(np.int64),
            by_item.indices.astype(np.int16),
            by_item.data.astype(np.float32),
        )

    def against(self, words: WordIndex, query: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how much speaks against items of some rows, in [0, 1], [C].

        With the strength s_wi of word w in item i, and idf(w) / idf(q) its part of the query,

            weight * sum over w of q of idf(w) / idf(q) * max over v of x_wv s_vi * (1 - s_wi)

        Args:
            words: The word index over the items.
            query: A normalised query.
            rows: The items.
        """
        idf, _ = words.idf()
        asked = {
            self.places[word]: share * float(idf[words.vocabulary[word]])
            for word, share in words.query_weights(query).items()
            if word in self.places
        }
        if not asked or not len(rows):
            return np.zeros(len(rows), np.float32)
        places, parts = np.array([*asked], np.int64), np.array([*asked.values()], np.float32)
        return np.float32(self.weight) * self._found(places, parts, rows)

    def excluded(self, words: WordIndex, query: str, rows: NDArray[np.int64]) -> list[list[str]]:
        """Return the words of a query that each row's own words exclude, as the query writes them.

        Args:
            words: The word index over the items.
            query: A normalised query.
            rows: The items.
        """
        excluded: list[list[str]] = [[] for _ in rows]
        for written, unit in words.units(query):
            places = np.array([self.places[word] for word in unit if word in self.places], np.int64)
            found = self._found(places, np.ones(len(places), np.float32), rows)
            for place in np.flatnonzero(found > 0):
                excluded[place].append(written)
        return excluded

    def _found(
        self, places: NDArray[np.int64], parts: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return what speaks against items by words that are parts of a query, [C]."""
        found = np.zeros(len(rows), np.float32)
        if self.loop is not None:
            items = self.starts, self.numbers, self.strengths
            asked = readonly(places, np.int64), readonly(parts, np.float32)
            self.loop(items, self.excludes, asked, readonly(rows, np.int64), found)
            return found
        begins = self.starts[rows]
        sizes = self.starts[rows + 1] - begins
        has = np.flatnonzero(sizes)
        if not len(has):
            return found
        begins, sizes = begins[has], sizes[has]
        first = np.cumsum(sizes) - sizes
        taken = np.arange(int(sizes.sum())) + np.repeat(begins - first, sizes)
        numbers, strengths = self.numbers[taken], self.strengths[taken]
        for place, part in zip(places, parts, strict=True):
            others = np.maximum.reduceat(self.excludes[place][numbers] * strengths, first)
            own = np.maximum.reduceat(np.where(numbers == place, strengths, np.float32(0)), first)
            found[has] += part * others * (1 - own)
        return found

    def hastened(self) -> Self:
        """Return them as a search that is done many times has them: compiled, the same bits."""
        from smar.index import exclusive_kernels

        return replace(
            self,
            excludes=readonly(self.excludes, np.float32),
            starts=readonly(self.starts, np.int64),
            numbers=readonly(self.numbers, np.int16),
            strengths=readonly(self.strengths, np.float32),
            loop=exclusive_kernels.against,
        )

    @classmethod
    def load(cls, folder: Path, weight: float) -> Self:
        """Return what `write` wrote.

        Raises:
            ArtifactError: If a file is missing or cannot be read.
        """
        try:
            names = orjson.loads((folder / _WORDS).read_bytes())
            arrays = {
                name: np.load(_file(folder, name), mmap_mode="r", allow_pickle=False)
                for name in _ARRAYS
            }
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{folder}: which words exclude each other cannot be read ({error}). Run "
                "`dvc repro`."
            ) from error
        places = {word: place for place, word in enumerate(names)}
        return cls(weight, places, **{name: each.view(np.ndarray) for name, each in arrays.items()})

    def write(self, folder: Path) -> None:
        """Write it beside the words."""
        (folder / _WORDS).write_bytes(orjson.dumps(list(self.places)))
        for name in _ARRAYS:
            np.save(_file(folder, name), getattr(self, name), allow_pickle=False)


def _file(folder: Path, name: str) -> Path:
    return folder / f"exclusive-{name}.npy"


def _of_items(
    texts: WordIndex, strong: Sequence[tuple[ClickWord, NDArray[np.bool_]]]
) -> tuple["csr_matrix", "csr_matrix"]:
    """Return how surely items have words by clicks, and by clicks and texts, [N, W] each."""
    from scipy.sparse import coo_matrix, csr_matrix  # a search reads an index without it

    nothing = np.empty(0, np.int32)
    by_clicks = [(each.rows[is_one], each.weights[is_one] / each.most) for each, is_one in strong]
    numbers = [texts.vocabulary.get(each.word) for each, _ in strong]
    by_text = [nothing if each is None else texts.postings.of(each)[0] for each in numbers]
    shape = len(texts), len(strong)
    clicked = coo_matrix(
        (
            np.concatenate([np.minimum(values, 1) for _, values in by_clicks] or [nothing]),
            (
                np.concatenate([rows for rows, _ in by_clicks] or [nothing]),
                np.repeat(np.arange(len(strong)), [len(rows) for rows, _ in by_clicks]),
            ),
        ),
        shape=shape,
    ).tocsr()
    columns = np.repeat(np.arange(len(strong)), [len(rows) for rows in by_text])
    in_text = np.concatenate(by_text or [nothing])
    told = csr_matrix((np.ones(len(in_text)), (in_text, columns)), shape=shape)
    both = csr_matrix(clicked + told)  # a click tells what the text lacks
    both.sort_indices()
    return clicked, both


def _excludes(has: "csr_matrix", kind: NDArray[np.int64], num_kinds: int) -> NDArray[np.float32]:
    """Return how much words of items exclude each other, [W, W], by the kinds of the items."""
    from scipy.sparse import csr_matrix

    is_one = csr_matrix((np.ones(has.nnz), has.indices, has.indptr), shape=has.shape)
    together = np.asarray((is_one.T @ is_one).todense())
    items = len(kind)
    of_kind = csr_matrix((np.ones(items), (kind, np.arange(items))), shape=(num_kinds, items))
    counts = np.asarray((of_kind @ is_one).todense())
    sizes = np.maximum(np.bincount(kind, minlength=num_kinds), 1)
    expected = (counts / sizes[:, None]).T @ counts
    excludes = 1 - (together + _CHANCE) / (expected + _CHANCE)
    np.fill_diagonal(excludes, 0)
    return np.where(excludes >= _CLEAR, excludes, 0).astype(np.float32)
