"""Words that an item's pictures tell and its text leaves out.

Shoppers ask for a "red striped dress" that its text calls a dress. Which words pictures tell is
learned from the items whose texts or clicks give them, by a linear discriminant for each word over
the colours of their pixels, or these and S_i (`picture_views`). A word that pictures tell is then a
word of the item too, for less than one of its text. It may be one that no text has and clicks alone
teach: in a shop whose titles name no colour, "mustard" is a word of shoppers.

Shapes: N items, V words, W words that may be told, D embedding length.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, hstack

from smar.index.click_words import ClickedQueries, Clicks
from smar.index.picture_views import ERRORS, Learned, Views, learned_of
from smar.index.spelling import NearWords, is_slip
from smar.index.told_words import ClickWord
from smar.index.words import WordIndex

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_FITTED = 50_000  # items that a fit looks at, drawn where there are more
_MOST = 512  # words that are tried, those of the most items
_LEAST_ITEMS = 5  # with a word, for it to be learned
_LEAST_CLICKS = 5  # of queries with a word, for them to say whether texts leave it out
_UNTOLD = 0.3  # share of such clicks to items whose text lacks it, from which texts leave it out
_LEAST_AUC = 0.7  # within categories, of a word that pictures tell
_LEAST_CLEAR = 0.55  # that this clearly is above
_MANY = 3  # categories with a word, for items of others to have it too
_LEAST_PROBABILITY = 0.2  # of a word in an item
_BLOCK = 16_384  # items whose words are read at once
_TOLD = 12  # words in the log
_OF_ITEMS = ("category", "brand")


@dataclass(frozen=True)
class PictureWord:
    """A word of texts, or of searches alone, that pictures tell too.

    Args:
        word: In the form of `word_forms`.
        rows: Items whose text lacks it and whose pictures tell it, ascending.
        weights: What it counts in each, > 0.
    """

    word: str
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Pictured:
    """What a shop's items show, and what they were found by.

    Args:
        image: S_i, unit rows, zero without a picture, [N, D].
        colours: Of their pixels, as `PictureColours.of_items`, [N, C].
        categories: Of each item, "" for none, [N].
        brands: Of each item, "" for none, [N].
        clicks: What they were found by.
        looks: What the colours are known by (`looks_of`), [N], if it is at hand.
    """

    image: NDArray[np.float32]
    colours: NDArray[np.uint8]
    categories: Sequence[str] | pa.Array
    brands: Sequence[str] | pa.Array
    clicks: Clicks
    looks: NDArray[np.uint64] | None = None

    @classmethod
    def of(
        cls,
        image: NDArray[np.float32],
        colours: NDArray[np.uint8] | None,
        items: "pd.DataFrame",
        queries: "pd.DataFrame",
        engagements: "pd.DataFrame",
    ) -> Self:
        """Return what accepted tables say of items, [N], beside their S_i and colours, if known."""
        if colours is None:
            colours = np.empty((len(items), 0), np.uint8)
        categories, brands = (items[name].to_numpy(object).tolist() for name in _OF_ITEMS)
        clicks = Clicks.of(items, queries, engagements)
        return cls(image, colours, categories, brands, clicks)


@dataclass(frozen=True)
class _Tried:
    """Words that texts may leave out and pictures may tell.

    Args:
        names: The words, [W].
        in_text: What each counts in the text of each item, [N, W].
        is_told: Which items a text or a click gives each, above 0, [N, W].
        counts: What each counts in a text on average, [W].
    """

    names: list[str]
    in_text: csc_matrix
    is_told: csr_matrix
    counts: NDArray[np.float64]


def words_of_pictures(
    words: WordIndex,
    shop: Pictured,
    weight: float,
    seed: int,
    searched: ClickedQueries | None = None,
    clicked: Sequence[ClickWord] = (),
) -> list[PictureWord]:
    """Return the words that pictures tell, with the items whose text leaves them out.

    Items without a word are in part such whose text leaves it out, so that discriminants give the
    probability of being told; over its mean among those that are told, at most 1, it is that of
    having it (Elkan and Noto, 2008). Every item is scored by what was fitted to others.

    A word is told by pictures if they tell items with it from items of their own category without
    it, with a mean AUC of .7, and one of .55 at least two standard errors below that: five items
    with a word that pictures tell plainly suffice. If clicks are there, only one that texts leave
    out (in three of ten clicks of queries with the word); without, none that is mostly a brand's. A
    word of no text is told if clicks give it to five items and it is no slip of another. A
    word of fewer than three categories is told of these alone. An item gets it for `weight *
    probability` of what it counts in a text on average, one of no text as `words_of_clicks` says.

    Args:
        words: The words of the items' texts.
        shop: What pictures can be learned from.
        weight: Of a word that a picture surely tells, beside one of the text; 0 tells none.
        seed: Draws the items of the fit where there are many.
        searched: The words of the shop's clicks, if they are at hand.
        clicked: Words of clicks, as `words_of_clicks` gives them, of which those of no text are
            tried too.
    """
    has_picture = np.flatnonzero(np.any(shop.image, axis=1))
    if not weight or len(has_picture) < 2 * _LEAST_ITEMS:
        return []
    searched = searched or ClickedQueries.of(shop.clicks, words.stemmer)
    tried = _tried(words, shop, searched, clicked, has_picture)
    drawn = np.random.default_rng(seed).permutation(has_picture)[:_FITTED]
    categories = _numbered(shop.categories)
    views = Views(shop.image, shop.colours, shop.looks)
    learned = learned_of(views, drawn, tried.is_told, categories)
    is_clear = learned.auc - ERRORS * learned.error >= _LEAST_CLEAR
    chosen = np.flatnonzero((learned.auc >= _LEAST_AUC) & is_clear)
    chosen = _without_slips(chosen, tried.names, words, searched)
    may_have = _may_have(tried.is_told[:, chosen], categories)
    in_text = tried.in_text[:, chosen].tocsr()
    shown = _shown(learned, in_text, may_have, categories, chosen, has_picture)
    found = [
        PictureWord(
            tried.names[place],
            rows.astype(np.int32),
            (weight * float(tried.counts[place]) * sure).astype(np.float32),
        )
        for place, (rows, sure) in zip(chosen.tolist(), shown, strict=True)
    ]
    _report(found, learned, chosen)
    return [each for each in found if len(each.rows)]


def _numbered(categories: Sequence[str] | pa.Array) -> NDArray[np.int64]:
    """Return the place of each category among all of them in their order, [N]."""
    coded = pa.array(categories, pa.string()).dictionary_encode()
    names = coded.dictionary.to_pylist()
    place = {name: number for number, name in enumerate(sorted(names))}
    return np.array([place[name] for name in names], np.int64)[np.asarray(coded.indices, np.int64)]


def _tried(
    words: WordIndex,
    shop: Pictured,
    searched: ClickedQueries,
    told: Sequence[ClickWord],
    has_picture: NDArray[np.int64],
) -> _Tried:
    """Return the words that texts may leave out: those of texts, then those of clicks alone."""
    known = words.vocabulary  # without clicks any word; with them those that these use
    if len(shop.clicks):
        known = searched.known(words)
    names = sorted(known, key=known.__getitem__)
    own = words.item_weights()[:, [known[word] for word in names]]
    clicked = searched.counted(names, len(words)).tocsc()
    columns = _columns_tried(own, clicked, names, words, shop, has_picture)
    new = _of_no_text(words, told, has_picture)
    in_text = own[:, columns]
    rows = np.concatenate([np.empty(0, np.int32), *(each.rows for each in new)])
    numbers = np.repeat(np.arange(len(new)), [len(each.rows) for each in new])
    of_new = csr_matrix((np.ones(len(rows)), (rows, numbers)), (len(words), len(new)))
    means = [float(in_text[:, [place]].data.mean()) for place in range(len(columns))]
    return _Tried(
        [*(names[column] for column in columns.tolist()), *(each.word for each in new)],
        hstack([in_text, csc_matrix(of_new.shape)], format="csc"),
        hstack([in_text + clicked[:, columns], of_new], format="csr"),
        np.array([*means, *(each.most for each in new)], np.float64),
    )


def _of_no_text(
    words: WordIndex, told: Sequence[ClickWord], has_picture: NDArray[np.int64]
) -> list[ClickWord]:
    """Return the words that clicks alone give to items, those of the most items with a picture."""
    shows = np.zeros(len(words), np.bool_)
    shows[has_picture] = True
    new = [each for each in told if each.word not in words.vocabulary and each.word.isalpha()]
    items = np.array([np.count_nonzero(shows[each.rows]) for each in new], np.int64)
    kept = np.flatnonzero((items >= _LEAST_ITEMS) & (2 * items <= len(has_picture)))
    kept = np.sort(kept[np.argsort(-items[kept], kind="stable")[:_MOST]])
    return [new[place] for place in kept.tolist()]


def _without_slips(
    chosen: NDArray[np.int64], names: Sequence[str], words: WordIndex, searched: ClickedQueries
) -> NDArray[np.int64]:
    """Return the places of words but for those of no text that are a slip of another."""
    new = [place for place in chosen.tolist() if names[place] not in words.vocabulary]
    if not new:
        return chosen
    asked = searched.found_in()
    near = NearWords(asked)
    slips = [place for place in new if is_slip(names[place], asked, near)]
    return np.setdiff1d(chosen, slips)


def _columns_tried(
    own: csc_matrix,
    clicked: csc_matrix,
    names: Sequence[str],
    words: WordIndex,
    shop: Pictured,
    has_picture: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the columns of words of texts that others may leave out, [W].

    Args:
        own: What each word counts in each text, [N, W].
        clicked: How often each item was found by it, likewise.
        names: The words.
        words: The index of the texts.
        shop: What pictures can be learned from.
        has_picture: Rows of items.
    """
    if len(has_picture) < own.shape[0]:
        own, clicked = own[has_picture], clicked[has_picture]
    in_text = (own > 0).astype(np.int32)
    is_told = (in_text + (clicked > 0).astype(np.int32)) > 0
    items = np.asarray(is_told.sum(0)).ravel()
    is_tried = (items >= _LEAST_ITEMS) & (2 * items <= len(has_picture))
    is_tried &= np.array([word.isalpha() for word in names], np.bool_)
    if len(shop.clicks):
        clicks = np.asarray(clicked.sum(0)).ravel()
        in_texts = np.asarray(clicked.multiply(in_text).sum(0)).ravel()
        is_tried &= clicks >= _LEAST_CLICKS
        is_tried &= clicks - in_texts >= _UNTOLD * clicks
    else:
        branded = np.zeros(words.num_words)
        brands = pa.array(shop.brands, pa.string()).to_pylist()
        of_brands = [words.numbers(brands[row]) for row in has_picture]
        np.add.at(branded, [number for numbers in of_brands for number in set(numbers)], 1)
        branded = branded[[words.vocabulary[word] for word in names]]
        is_tried &= 2 * branded < np.asarray(in_text.sum(0)).ravel()
    columns = np.flatnonzero(is_tried)
    return np.sort(columns[np.argsort(-items[columns], kind="stable")[:_MOST]])


def _may_have(told: csr_matrix, categories: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether items of each category may have each word, [categories, W].

    Colours are those of things of all kinds. A word of few kinds is not told of others: a watch in
    the picture of a shirt is no watch for sale.
    """
    rows, words = told.nonzero()
    has = np.zeros((int(categories.max()) + 1, told.shape[1]), np.bool_)
    has[categories[rows], words] = True
    return has | (has.sum(0) >= _MANY)


def _shown(
    learned: Learned,
    in_text: csr_matrix,
    may_have: NDArray[np.bool_],
    categories: NDArray[np.int64],
    chosen: NDArray[np.int64],
    has_picture: NDArray[np.int64],
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return the rows whose pictures tell each chosen word and no text does, and how surely."""
    rows: list[list[NDArray[np.int64]]] = [[] for _ in chosen]
    sure: list[list[NDArray[np.float64]]] = [[] for _ in chosen]
    for start in range(0, len(has_picture), _BLOCK):
        some = has_picture[start : start + _BLOCK]
        probability = learned.probability(some, chosen) / learned.level[chosen]
        probability[in_text[some].nonzero()] = 0
        probability[~may_have[categories[some]]] = 0
        for place, of_word in enumerate(probability.T):
            has = np.flatnonzero(of_word >= _LEAST_PROBABILITY)
            rows[place].append(some[has])
            sure[place].append(np.minimum(of_word[has], 1))
    return [(np.concatenate(r), np.concatenate(s)) for r, s in zip(rows, sure, strict=True)]


def _report(found: Sequence[PictureWord], learned: Learned, chosen: NDArray[np.int64]) -> None:
    facts = zip(learned.auc[chosen].tolist(), learned.view[chosen].tolist(), found, strict=True)
    best = sorted(facts, key=lambda each: -each[0])
    logger.info(
        "words: pictures tell %d that texts leave out (AUC within categories)%s",
        len(found),
        "".join(
            f"; {w.word} in {len(w.rows)} by {learned.views.names[view]} (AUC {auc:.2f})"
            for auc, view, w in best[:_TOLD]
        ),
    )
