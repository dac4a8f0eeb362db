"""The words of a shop's items: of their texts, their pictures and their clicks.

What was read of items, pictures and queries that are as they were is taken from an earlier run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from smar.data.images import ImageStore
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
    """

    paths: Paths
    params: Params
    store: EmbeddingStore
    items: "pd.DataFrame"
    tables: Mapping[str, pa.Table]

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


def words_of(
    shop: Shop, texts: list[str], codes: list[tuple[str, ...]], stemmer: str, earlier: Read
) -> ShopWords:
    """Return the words of a shop's items.

    Args:
        shop: The shop.
        texts: Of its items, [N].
        codes: What each is called by, [N].
        stemmer: As for `WordForms`.
        earlier: What an earlier run read, of which what is as it was is taken.
    """
    params = shop.params
    read = ItemWords.read(texts, codes, WordForms(stemmer), earlier.words)
    words = WordIndex.of(read, stemmer)
    letters = read_letters(texts, earlier.letters) if params.index.spelling else None
    spelling = Spelling.of(letters, shop.trained, words) if letters else None
    colours = _colours(shop.paths, params, earlier.colours)
    pictured, searched = shop.pictured(colours), None
    if params.index.picture_words:
        searched = Searched.of(pictured, stemmer, earlier.searched)
    clicked = _with_more_words(params, words, pictured, searched)
    asked = searched.words if searched else None
    return ShopWords(
        Read(words=read, letters=letters, searched=asked, colours=colours), clicked, spelling
    )


def _colours(paths: Paths, params: Params, earlier: PictureColours | None) -> PictureColours | None:
    """Return the colours of all pictures, of which an earlier run's are taken; None: not asked."""
    if not params.index.picture_words:
        return None
    images = ImageStore.open(paths.images, verify=False)  # embed has verified them
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


def stemmer_for(chosen: str, texts: list[str]) -> str:
    """Return the stemmer of item texts: what is chosen, or that of their language."""
    return stemmer_of(texts) if chosen == "auto" else chosen
