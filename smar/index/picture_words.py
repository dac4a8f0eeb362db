"""Words that an item's pictures tell and its text leaves out.

Shoppers ask for a "red striped dress" that its text calls a dress. Which words pictures tell is
learned from the items whose texts or clicks give them, by a linear discriminant over S_i for each
word. A word that pictures tell is then a word of the item too, for less than one of its text.

Shapes: N items, V words, W words that may be told, D embedding length.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from smar.index.click_words import Clicks
from smar.index.words import WordIndex

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_FITTED = 50_000  # items that a fit looks at, drawn where there are more
_MOST = 512  # words that are tried, those of the most items
_LEAST_ITEMS = 20  # with a word, for it to be learned
_LEAST_CLICKS = 5  # of queries with a word, for them to say whether texts leave it out
_UNTOLD = 0.3  # share of such clicks to items whose text lacks it, from which texts leave it out
_LEAST_AUC = 0.7  # within categories, of a word that pictures tell
_LEAST_PROBABILITY = 0.3  # of a word in an item
_RIDGE = 0.01  # of the mean variance, added to each
_BLOCK = 65_536  # items whose words are read at once
_TOLD = 12  # words in the log
_FEW = 3  # items with a word and without it that a category needs to say something


@dataclass(frozen=True)
class PictureWord:
    """A word of texts that pictures tell too.

    Args:
        number: Of the word.
        rows: Items whose text lacks it and whose pictures tell it, ascending.
        weights: What it counts in each, > 0.
    """

    number: int
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Pictured:
    """What a shop's items show, and what they were found by.

    Args:
        image: S_i, unit rows, zero without a picture, [N, D].
        categories: Of each item, "" for none, [N].
        brands: Of each item, "" for none, [N].
        rows: Rows of items that searches led to, one for each click.
        queries: The query of each click, of the training split alone.
    """

    image: NDArray[np.float32]
    categories: Sequence[str]
    brands: Sequence[str]
    rows: Sequence[int]
    queries: Sequence[str]

    @property
    def clicks(self) -> Clicks:
        """What they were found by."""
        return Clicks(self.rows, self.queries)

    @classmethod
    def of(
        cls,
        image: NDArray[np.float32],
        items: "pd.DataFrame",
        queries: "pd.DataFrame",
        engagements: "pd.DataFrame",
    ) -> Self:
        """Return what the accepted tables of a shop say of its items, [N], and their S_i."""
        clicks = Clicks.of(items, queries, engagements)
        categories, brands = items["category"].tolist(), items["brand"].tolist()
        return cls(image, categories, brands, clicks.rows, clicks.queries)


def words_of_pictures(
    words: WordIndex, shop: Pictured, weight: float, seed: int
) -> list[PictureWord]:
    """Return the words that pictures tell, with the items whose text leaves them out.

    Of a word w and the S_i = x of an item, with the means m1 and m0 of items with and without it,
    their share p with it, and the covariance C within both (Fisher, 1936):

        log odds(w | x) = log(p / (1 - p)) + (x - (m1 + m0) / 2)' C^-1 (m1 - m0)

    Items without the word are in part such whose text leaves it out, so that this is the
    probability of being told; over its mean among those that are told, at most 1, it is that of
    having it (Elkan and Noto, 2008). Every item is scored by what was fitted to others.

    A word is told by pictures if they tell items with it from items of their own category without
    it, with a mean AUC of .7; if clicks are there, only one that texts leave out (in three of ten
    clicks of queries with the word); without, none that is mostly a brand's. An item gets it for
    `weight * probability^2` of what it counts in a text on average.

    Args:
        words: The words of the items' texts.
        shop: What pictures can be learned from.
        weight: Of a word that a picture surely tells, beside one of the text; 0 tells none.
        seed: Draws the items of the fit where there are many, and halves them.
    """
    has_picture = np.flatnonzero(np.any(shop.image, axis=1))
    if not weight or len(has_picture) < 2 * _LEAST_ITEMS:
        return []
    own = words.item_weights()
    clicked = _clicked(words, shop)
    tried = _tried(own, clicked, words, shop, has_picture)
    told = (own[:, tried] + clicked[:, tried]).tocsr()
    drawn = np.random.default_rng(seed).permutation(has_picture)
    halves = np.array_split(drawn[:_FITTED], 2)
    fits = [_Fit.of(shop.image[half], told[half]) for half in halves]
    categories = np.unique(np.asarray(shop.categories, str), return_inverse=True)[1]
    auc, level = _quality(fits, halves, shop.image, told, categories)
    chosen = np.flatnonzero(auc >= _LEAST_AUC)
    of_texts = own[:, tried[chosen]]
    shown = _shown(fits, halves[0], shop.image, of_texts.tocsr(), level, chosen)
    found = []
    for place, (rows, probability) in enumerate(shown):
        counts = weight * float(of_texts[:, [place]].data.mean()) * probability**2
        number = int(tried[chosen[place]])
        found.append(PictureWord(number, rows.astype(np.int32), counts.astype(np.float32)))
    _report(words, found, auc[auc >= _LEAST_AUC])
    return [each for each in found if len(each.rows)]


def _clicked(words: WordIndex, shop: Pictured) -> csc_matrix:
    """Return how often each item was found by a query with each word, [N, V]."""
    known = {query: words.numbers(query) for query in dict.fromkeys(shop.queries)}
    numbers = [known[query] for query in shop.queries]
    sizes = [len(each) for each in numbers]
    columns = np.fromiter((n for each in numbers for n in each), np.int64, sum(sizes))
    rows = np.repeat(np.asarray(shop.rows, np.int64), sizes)
    shape = len(words), words.num_words
    return coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape).tocsc()


def _tried(
    own: csc_matrix,
    clicked: csc_matrix,
    words: WordIndex,
    shop: Pictured,
    has_picture: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the numbers of words that texts may leave out and pictures may tell, [W]."""
    own, clicked = own[has_picture], clicked[has_picture]
    in_text = (own > 0).astype(np.int32)
    is_told = (in_text + (clicked > 0).astype(np.int32)) > 0
    items = np.asarray(is_told.sum(0)).ravel()
    is_tried = (items >= _LEAST_ITEMS) & (2 * items <= len(has_picture))
    is_tried[[n for word, n in words.vocabulary.items() if not word.isalpha()]] = False
    if len(shop.queries):
        clicks = np.asarray(clicked.sum(0)).ravel()
        in_texts = np.asarray(clicked.multiply(in_text).sum(0)).ravel()
        is_tried &= clicks >= _LEAST_CLICKS
        is_tried &= clicks - in_texts >= _UNTOLD * clicks
    else:
        branded = np.zeros(len(is_tried))
        names = [words.numbers(shop.brands[row]) for row in has_picture]
        np.add.at(branded, [number for name in names for number in set(name)], 1)
        is_tried &= 2 * branded < np.asarray(in_text.sum(0)).ravel()
    numbers = np.flatnonzero(is_tried)
    return np.sort(numbers[np.argsort(-items[numbers], kind="stable")[:_MOST]])


@dataclass(frozen=True)
class _Fit:
    """Discriminants of words: `x @ lines + offsets` are log odds; [D, W] and [W]."""

    lines: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.float32], told: csc_matrix) -> "_Fit":
        """Return what items say of words: S_i, [n, D], and whether each is told of a word."""
        mean = image.mean(0, dtype=np.float64)
        x = image - mean
        is_told = (told > 0).astype(np.float64)
        size, dim = x.shape
        counts = np.asarray(is_told.sum(0)).ravel()
        share = np.clip(counts / size, 1 / size, 1 - 1 / size)
        with_word = (is_told.T @ x) / np.maximum(counts, 1)[:, None]
        without = -with_word * (share / (1 - share))[:, None]
        apart = with_word - without
        covariance = x.T @ x / size
        covariance += _RIDGE * np.trace(covariance) / dim * np.eye(dim)
        lines = np.linalg.solve(covariance, apart.T)
        # Within the classes it is smaller by p (1 - p) d d' (Sherman and Morrison, 1950).
        between = share * (1 - share) * np.einsum("wd,dw->w", apart, lines)
        lines /= np.maximum(1 - between, _RIDGE)
        middle = np.einsum("wd,dw->w", (with_word + without) / 2, lines)
        return cls(lines, np.log(share / (1 - share)) - middle - mean @ lines)

    def probability(
        self, image: NDArray[np.float32], words: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Return the probabilities that items are told of some of the words, [n, W]."""
        odds = image @ self.lines[:, words] + self.offsets[words]
        return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))


def _quality(
    fits: Sequence[_Fit],
    halves: Sequence[NDArray[np.int64]],
    image: NDArray[np.float32],
    told: csc_matrix,
    categories: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how well pictures tell each word within a category, and the mean where it is told."""
    probability = np.concatenate(
        [fits[0].probability(image[halves[1]]), fits[1].probability(image[halves[0]])]
    )
    rows = np.concatenate([halves[1], halves[0]])
    is_told = (told[rows] > 0).toarray()
    auc = np.array(
        [
            _auc_within(probability[:, word], is_told[:, word], categories[rows])
            for word in range(is_told.shape[1])
        ]
    )
    level = (probability * is_told).sum(0) / np.maximum(is_told.sum(0), 1)
    return auc, np.maximum(level, np.finfo(float).tiny)


def _shown(
    fits: Sequence[_Fit],
    first: NDArray[np.int64],
    image: NDArray[np.float32],
    in_text: csr_matrix,
    level: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return the rows whose pictures tell each chosen word and no text does, and how surely."""
    is_first = np.zeros(len(image), bool)
    is_first[first] = True
    rows: list[list[NDArray[np.int64]]] = [[] for _ in chosen]
    sure: list[list[NDArray[np.float64]]] = [[] for _ in chosen]
    for start in range(0, len(image), _BLOCK):
        block = slice(start, start + _BLOCK)
        by_first, by_second = (fit.probability(image[block], chosen) for fit in fits)
        probability = np.where(is_first[block, None], by_second, by_first) / level[chosen]
        probability[in_text[block].nonzero()] = 0
        probability[~np.any(image[block], axis=1)] = 0
        for place, of_word in enumerate(probability.T):
            has = np.flatnonzero(of_word >= _LEAST_PROBABILITY)
            rows[place].append(start + has)
            sure[place].append(np.minimum(of_word[has], 1))
    return [(np.concatenate(r), np.concatenate(s)) for r, s in zip(rows, sure, strict=True)]


def _auc_within(
    score: NDArray[np.float64], is_told: NDArray[np.bool_], categories: NDArray[np.int64]
) -> float:
    """Return the AUC within categories, weighted by the items that are told of; 0 without any."""
    order = np.lexsort((score, categories))
    of, told = categories[order], is_told[order].astype(np.float64)
    size = np.bincount(of)
    place = np.arange(len(of)) - np.repeat(np.cumsum(size) - size, size)
    with_word = np.bincount(of, told)
    above = np.bincount(of, told * place) - with_word * (with_word - 1) / 2
    without = size - with_word
    says = (with_word >= _FEW) & (without >= _FEW)
    if not says.any():
        return 0.0
    return float((above[says] / without[says]).sum() / with_word[says].sum())


def _report(words: WordIndex, found: Sequence[PictureWord], auc: NDArray[np.float64]) -> None:
    names = {number: word for word, number in words.vocabulary.items()}
    best = sorted(zip(auc.tolist(), found, strict=True), key=lambda pair: -pair[0])
    logger.info(
        "words: pictures tell %d that texts leave out (AUC within categories)%s",
        len(found),
        "".join(
            f"; {names[w.number]} in {len(w.rows)} (AUC {value:.2f})" for value, w in best[:_TOLD]
        ),
    )
