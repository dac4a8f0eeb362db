"""The words of a shop's items: of their texts, their pictures and their clicks.

What was read of items, pictures and queries that are as they were is taken from an earlier run.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.images import ImageStore
from smar.data.membership import in_one_piece
from smar.data.schema import TABLES, read_columns
from smar.data.text import FIELDS, item_codes, item_texts
from smar.index.click_words import ClickedQueries, Clicks, words_of_clicks
from smar.index.exclusive_words import ExclusiveWords
from smar.index.item_words import ItemWords
from smar.index.kept import Kept
from smar.index.kept_parts import Read
from smar.index.language import stemmer_of
from smar.index.letters import counted, letters_with, read_letters
from smar.index.picture_colours import PictureColours
from smar.index.picture_words import Pictured, words_of_pictures
from smar.index.same_rows import is_in_place, places_before, unchanged
from smar.index.spelling import Spelling
from smar.index.store import EmbeddingStore
from smar.index.word_forms import WordForms
from smar.index.words import WordIndex
from smar.params import Params
from smar.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

_LOG = ("queries", "engagements")  # what clicks are read of

READ = (*FIELDS, "gtin", "mpn")
"""Columns that the words of an item are read of, beside its id."""


@dataclass(frozen=True)
class Shop:
    """What words are of.

    Args:
        paths: The project.
        params: All parameters.
        store: The embeddings of the items.
        items: The item table, [N].
        unchanged: Inputs of the stage that are what they were for what an earlier run read.
        kept: What is kept of that run.
    """

    paths: Paths
    params: Params
    store: EmbeddingStore
    items: pa.Table
    unchanged: Collection[str] = ()
    kept: Kept = field(default_factory=Kept)

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The item table as a data frame, [N]."""
        return self.items.to_pandas()

    def table(self, name: str) -> pa.Table:
        """Return queries, engagements or judgements by their name, which are read once."""
        if name not in self._tables:
            self._tables[name] = read_columns(getattr(self.paths, name), TABLES[name])
        return self._tables[name]

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        return {}

    @cached_property
    def tables_unchanged(self) -> set[str]:
        """The names of accepted tables that are what they were."""
        return {name for name in TABLES if f"data/accepted/{name}.parquet" in self.unchanged}

    @cached_property
    def texts(self) -> list[str]:
        """The texts of the items, [N]."""
        return item_texts(self.frame)

    @cached_property
    def places(self) -> NDArray[np.int64] | None:
        """Where each item was in the table of an earlier run, -1 for a new one; None: none is."""
        if "items" in self.tables_unchanged:
            return np.arange(len(self.items))
        before = self.kept.items
        return None if before is None else places_before(self.items, before)

    @cached_property
    def rows_read(self) -> NDArray[np.int64] | None:
        """The same of items whose text and codes are what they were, -1 for others."""
        if "items" in self.tables_unchanged or self.places is None:
            return self.places
        before = self.kept.items
        return None if before is None else unchanged(self.items, before, self.places, READ)

    @cached_property
    def queries(self) -> "pd.DataFrame":
        """The query table."""
        return self.table("queries").to_pandas()

    @cached_property
    def trained(self) -> list[str]:
        """The queries of the training split."""
        is_trained = self.queries["split"] == "train"
        return list(self.queries.loc[is_trained, "query"].to_numpy(object).tolist())

    def clicks(self, earlier: Read) -> Clicks:
        """Return what the items were found by, as an earlier run has it of the same log."""
        texts = in_one_piece(self.table("queries")["query"])
        is_same_log = {*_LOG} <= self.tables_unchanged
        if earlier.clicks is not None and earlier.words is not None and is_same_log:
            places = self.places
            if places is not None and is_in_place(places, len(earlier.words)):
                return replace(earlier.clicks, texts=texts)
        return Clicks.of(self.items, *map(self.table, _LOG))

    def pictured(self, colours: PictureColours | None, clicks: Clicks) -> Pictured:
        """Return what the items show, and what they were found by."""
        found, looks = np.empty((len(self.items), 0), np.uint8), None
        if colours is not None:
            found, looks = colours.of_lists(self.items["image_ids"])
        categories, brands = (in_one_piece(self.items[name]) for name in ("category", "brand"))
        return Pictured(self.store.image, found, categories, brands, clicks, looks)


class ShopWords(NamedTuple):
    """What comes out.

    Args:
        read: What was read, for the next run.
        clicked: Returns the index of words at a weight of those of clicks.
        exclusive: Returns the words that exclude each other at a weight, None at 0.
        spelling: What queries are read by; None where they are not mended.
    """

    read: Read
    clicked: Callable[[float], WordIndex]
    exclusive: Callable[[float], ExclusiveWords | None]
    spelling: Spelling | None


def words_of(shop: Shop, stemmer: str, earlier: Read) -> ShopWords:
    """Return the words of a shop's items.

    Args:
        shop: The shop.
        stemmer: As for `WordForms`.
        earlier: What an earlier run read, of which what is as it was is taken.
    """
    params = shop.params
    read, letters = _read_of_items(shop, stemmer, earlier)
    words = WordIndex.of(read, stemmer)
    typed = _typed(shop, earlier.typed) if letters else None
    spelling = Spelling.of(letters, typed, words) if letters and typed is not None else None
    colours = _colours(shop, earlier.colours)
    clicks = shop.clicks(earlier)
    searched = cache(lambda: _searched(clicks, stemmer, earlier))  # where pictures or a weight ask
    told = cache(lambda: words_of_clicks(words, searched()))  # for it
    pictured, shown = shop.pictured(colours, clicks), []
    categories = pictured.categories
    if weight := params.index.picture_words:
        shown = words_of_pictures(words, pictured, weight, params.seed, searched(), told())
    more = words.with_pictured(shown)
    excluding = cache(lambda: ExclusiveWords.of(words, told(), categories))
    asked = searched().words if params.index.picture_words else None
    return ShopWords(
        Read(
            words=read, letters=letters, searched=asked, colours=colours, typed=typed, clicks=clicks
        ),
        lambda weight: more.with_clicked(told(), weight) if weight else more,
        lambda weight: replace(excluding(), weight=weight) if weight else None,
        spelling,
    )


def _searched(clicks: Clicks, stemmer: str, earlier: Read) -> ClickedQueries:
    """Return the words of clicks, as they were read of the same clicks."""
    if earlier.searched is None or clicks.rows is not (earlier.clicks and earlier.clicks.rows):
        return ClickedQueries.of(clicks, stemmer, earlier.searched)
    return ClickedQueries(clicks, stemmer, earlier.searched)


def _typed(shop: Shop, earlier: Mapping[str, int] | None) -> Mapping[str, int]:
    """Return how many of the queries that were trained on have each word."""
    if "queries" in shop.tables_unchanged and earlier is not None:
        return earlier
    return counted(shop.trained)


def _read_of_items(shop: Shop, stemmer: str, earlier: Read) -> tuple[ItemWords, ItemWords | None]:
    """Return the words of the items, and these as they are spelled if queries are mended."""
    is_spelled = shop.params.index.spelling
    words, letters = earlier.words, earlier.letters
    if words is None or (is_spelled and letters is None) or shop.rows_read is None:
        forms = WordForms(stemmer)
        words = ItemWords.read(shop.texts, item_codes(shop.frame), forms, words)
        return words, read_letters(shop.texts, letters, words.keys) if is_spelled else None
    rows = shop.rows_read
    new = np.flatnonzero(rows < 0)
    if not len(new) and is_in_place(rows, len(words)):
        return words, letters if is_spelled else None
    frame = shop.items.take(pa.array(new)).to_pandas()
    texts, codes = item_texts(frame), item_codes(frame)
    words = words.with_others(rows, texts, codes, WordForms(stemmer))
    if letters is None or not is_spelled:
        return words, None
    return words, letters_with(letters, rows, texts, words.keys[new])


def _colours(shop: Shop, earlier: PictureColours | None) -> PictureColours | None:
    """Return the colours of all pictures, of which an earlier run's are taken; None: not asked."""
    if not shop.params.index.picture_words:
        return None
    if "data/images" in shop.unchanged and earlier is not None:
        return earlier
    images = ImageStore.open(shop.paths.images, verify=False)  # embed has verified them
    return PictureColours.read(images, earlier)


def stemmer_for(chosen: str, shop: Shop) -> str:
    """Return the stemmer of a shop: what is chosen, or that of its language."""
    return stemmer_of(shop.texts) if chosen == "auto" else chosen
