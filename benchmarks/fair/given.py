"""What every system gets: items, pairs, tokenizer, pictures, and the queries of choices and tables.

Shapes: Q queries, N items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.fair.space import Settings
from benchmarks.quality.material import Material
from benchmarks.quality.shop import Shop
from smar.data import schema
from smar.data.stems import bag_of_stems
from smar.errors import DataError
from smar.index.click_words import ClickedQueries, Clicks, words_of_clicks
from smar.index.exclusive_words import ExclusiveWords
from smar.index.language import stemmer_of
from smar.index.letters import counted, read_letters
from smar.index.picture_colours import PictureColours
from smar.index.picture_words import Pictured, PictureWord, words_of_pictures
from smar.index.spelling import Spelling
from smar.index.told_words import ClickWord
from smar.index.words import WordIndex
from smar.judging.runs import QuerySet
from smar.params import Params
from smar.seeding import generator
from studies.plan import apply_settings

VARIANT = "full"
_CHOICE_QUERIES, _CHOICE_ITEMS = 400, 2500


@dataclass(frozen=True)
class Choice:
    """What trials are compared by: some validation queries over a part of the catalogue.

    Args:
        whole: The queries, judged over all items.
        queries: The same, judged over the items below.
        rows: Rows of the item table, ascending: all engaged items of the queries, and drawn ones.
    """

    whole: QuerySet
    queries: QuerySet
    rows: NDArray[np.int64]


class Given(Material):
    """The shop of a study, read once for all systems.

    Args:
        root: The project's root folder, with `smar study prepare DATA` done.
        data: Name of the data form.
        seed: Draws the queries and items of choices.

    Raises:
        DataError: If a validation query has the stems of a training query.
    """

    def __init__(self, root: Path, data: str, seed: int) -> None:
        super().__init__(Shop(root, data, variant=VARIANT))
        self.items, self.texts = self.shop.items, self.shop.texts
        self.images, self.seed = self.shop.images, seed
        self.test, self.validation = self.shop.query_sets()
        check_apart(self.shop.paths.queries)
        self.choice = choice_of(self.validation, len(self.items), seed)

    def params(self, settings: Settings, own: Mapping[str, Any]) -> Params:
        """Return the study's parameters with the settings of a trial.

        Args:
            settings: What all systems share, as `space.draw` gives.
            own: Further changes, by dotted key.
        """
        changes: dict[str, Any] = {
            "model.query.layers": settings["text_layers"],
            "model.text.layers": settings["text_layers"],
            "loss.softmax.temperature": settings["temperature"],
            "loss.gcl.temperature": settings["temperature"],
        }
        for name in ("stem", "patch"):
            if name in settings:
                changes[f"model.image.{name}"] = settings[name]
        if "image_layers" in settings:
            changes["model.image.layers"] = settings["image_layers"]
        shared = ("learning_rate", "items_per_step", "queries_per_item", "misspelled_frac")
        for stage in ("pretrain", "finetune"):
            changes |= {f"{stage}.{name}": settings[name] for name in shared}
            changes[f"{stage}.precision"] = "float32"
        content = yaml.safe_load(self.shop.paths.params.read_text(encoding="utf-8"))
        return Params.model_validate(apply_settings(content, changes, own))

    @cached_property
    def words(self) -> WordIndex:
        """The words of the items' texts, as smar has them."""
        return WordIndex.build(self.texts, stemmer=stemmer_of(self.texts))

    @cached_property
    def log(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Queries and engagements."""
        paths = self.shop.paths
        queries = schema.read_table(paths.queries, schema.QUERIES)
        return queries, schema.read_table(paths.engagements, schema.ENGAGEMENTS)

    def words_of_pictures(self, image: NDArray[np.float32], seed: int) -> list[PictureWord]:
        """Return the words that pictures tell, by their colours and by what is learned of them.

        Args:
            image: A vector of each item's pictures, 0 where there is none or nobody looks, [N, D].
            seed: As for `smar.index.picture_words.words_of_pictures`.
        """
        shown = Pictured.of(image, self.colours, self.items, *self.log)
        weight = self.shop.params.index.picture_words
        return words_of_pictures(self.words, shown, weight, seed, clicked=self._told)

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """The colours of the items' pictures."""
        return PictureColours.read(self.images).of_items(self.items["image_ids"].tolist())

    def with_clicked(self, words: WordIndex, weight: float) -> WordIndex:
        """Return words with those of clicks at a weight."""
        return words.with_clicked(self._told if weight else [], weight)

    @cached_property
    def spelling(self) -> Spelling:
        """What queries are read by, as smar reads them."""
        queries = self.log[0]
        trained = queries.loc[queries["split"] == "train", "query"].tolist()
        return Spelling.of(read_letters(self.texts), counted(trained), self.words)

    @cached_property
    def exclusive(self) -> ExclusiveWords:
        """The words of items that exclude each other, wholly."""
        categories = self.items["category"].to_numpy(object).tolist()
        return ExclusiveWords.of(self.words, self._told, categories)

    @cached_property
    def _told(self) -> list[ClickWord]:
        clicks = Clicks.of(self.items, *self.log)
        return words_of_clicks(self.words, ClickedQueries.of(clicks, self.words.stemmer))


def check_apart(queries_file: Path) -> None:
    """Refuse a validation split that shares a bag of stems with the queries that are trained on.

    Raises:
        DataError: Names one of them.
    """
    queries = schema.read_table(queries_file, schema.QUERIES)
    bags = {
        split: set(map(bag_of_stems, queries.loc[queries["split"] == split, "query"]))
        for split in ("train", "validation", "test")
    }
    for held_out in ("validation", "test"):
        shared = sorted(bags["train"] & bags[held_out])
        if shared:
            raise DataError(
                f"{queries_file}: {len(shared)} bags of stems are in the training and the "
                f"{held_out} queries, expected none (first: {shared[0]!r}). Run `smar study "
                "prepare` again."
            )


def choice_of(validation: QuerySet, num_items: int, seed: int) -> Choice:
    """Return at most 400 validation queries over at most 2,500 items, or over all engaged ones."""
    rng = generator(seed, "fair choice")
    rows = np.sort(rng.permutation(len(validation))[:_CHOICE_QUERIES])
    some = validation.some(rows)
    engaged = np.unique(some.qrels.indices)
    others = rng.permutation(np.setdiff1d(np.arange(num_items), engaged))
    kept = np.sort(np.concatenate([engaged, others[: max(0, _CHOICE_ITEMS - len(engaged))]]))
    return Choice(some, replace(some, qrels=some.qrels[:, kept]), kept)


def part_of(items: pd.DataFrame, rows: NDArray[np.int64] | None) -> pd.DataFrame:
    """Return some rows of the item table, all without."""
    return items if rows is None else items.iloc[rows]
