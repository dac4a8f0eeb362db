"""The words of a shop's items: of their texts, their pictures and their clicks.

What was read of items, pictures and queries that are as they were is taken from an earlier run.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from smar.data.images import ImageStore
from smar.data.text import item_codes, item_texts
from smar.index.click_words import words_of_clicks
from smar.index.item_words import ItemWords
from smar.index.kept import Read
from smar.index.language import stemmer_of
from smar.index.letters import read_letters
from smar.index.picture_colours import PictureColours
from smar.index.picture_words import Pictured, Searched, words_of_pictures
from smar.index.spelling import Spelling
from smar.index.store import EmbeddingStore
from smar.index.word_forms import WordForms
from smar.index.words import WordIndex
from smar.params import Params
from smar.paths import Paths

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Shop:
    """What words are of.

    Args:
        paths: The project.
        params: All parameters.
        store: The embeddings of the items.
        items: The item table, [N].
        tables: Queries and engagements by their names.
        unchanged: Inputs of the stage that are what they were for what an earlier run read.
    """

    paths: Paths
    params: Params
    store: EmbeddingStore
    items: "pd.DataFrame"
    tables: Mapping[str, pa.Table]
    unchanged: Collection[str] = ()

    @cached_property
    def texts(self) -> list[str]:
        """The texts of the items, [N]."""
        return item_texts(self.items)

    @cached_property
    def queries(self) -> "pd.DataFrame":
        """The query table."""
        return self.tables["queries"].to_pandas()

    @cached_property
    def trained(self) -> list[str]:
        """The queries of the training split."""
        is_trained = self.queries["split"] == "train"
        return list(self.queries.loc[is_trained, "query"].to_numpy(object).tolist())

    def pictured(self, colours: PictureColours | None) -> Pictured:
        """Return what the items show, and what they were found by."""
        log = self.tables["engagements"].select(["query_id", "item_id"]).to_pandas()
        seen = colours.of_items(self.items["image_ids"].tolist()) if colours else None
        return Pictured.of(self.store.image, seen, self.items, self.queries, log)


class ShopWords(NamedTuple):
    """What comes out.

    Args:
        read: What was read, for the next run.
        clicked: Returns the index of words at a weight of those of clicks.
        spelling: What queries are read by; None where they are not mended.
    """

    read: Read
    clicked: Callable[[float], WordIndex]
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
    spelling = Spelling.of(letters, shop.trained, words) if letters else None
    colours = _colours(shop, earlier.colours)
    pictured, searched = shop.pictured(colours), None
    if params.index.picture_words:
        searched = Searched.of(pictured, stemmer, earlier.searched)
    clicked = _with_more_words(params, words, pictured, searched)
    asked = searched.words if searched else None
    return ShopWords(
        Read(words=read, letters=letters, searched=asked, colours=colours), clicked, spelling
    )


def _read_of_items(shop: Shop, stemmer: str, earlier: Read) -> tuple[ItemWords, ItemWords | None]:
    """Return the words of the items, and these as they are spelled if queries are mended."""
    is_spelled = shop.params.index.spelling
    if "data/accepted/items.parquet" in shop.unchanged and earlier.words is not None:
        read, is_same = earlier.words, True
    else:
        forms = WordForms(stemmer)
        read = ItemWords.read(shop.texts, item_codes(shop.items), forms, earlier.words)
        is_same = False
    if not is_spelled:
        return read, None
    if is_same and earlier.letters is not None:
        return read, earlier.letters
    return read, read_letters(shop.texts, earlier.letters, read.keys)


def _colours(shop: Shop, earlier: PictureColours | None) -> PictureColours | None:
    """Return the colours of all pictures, of which an earlier run's are taken; None: not asked."""
    if not shop.params.index.picture_words:
        return None
    if "data/images" in shop.unchanged and earlier is not None:
        return earlier
    images = ImageStore.open(shop.paths.images, verify=False)  # embed has verified them
    return PictureColours.read(images, earlier)


def _with_more_words(
    params: Params, words: WordIndex, shop: Pictured, searched: Searched | None
) -> Callable[[float], WordIndex]:
    """Return what gives items words of their pictures, and those of clicks at a weight.

    What clicks tell is found once, and where a weight asks for it.
    """
    shown = words_of_pictures(words, shop, params.index.picture_words, params.seed, searched)
    pictured = words.with_pictured(shown)
    told = cache(lambda: words_of_clicks(pictured, shop.clicks))
    return lambda weight: pictured.with_clicked(told(), weight) if weight else pictured


def stemmer_for(chosen: str, shop: Shop) -> str:
    """Return the stemmer of a shop: what is chosen, or that of its language."""
    return stemmer_of(shop.texts) if chosen == "auto" else chosen
