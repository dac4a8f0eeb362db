"""What every start of a project gets, read once: items, log, and what a trained model is judged by.

Shapes: N items.
"""

import argparse
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.start_tasks import colours
from smar.data import schema
from smar.data.text import item_texts
from smar.index.language import stemmer_of
from smar.index.words import WordIndex
from smar.judging.runs import QuerySet
from smar.judging.shop_sets import ShopSets
from smar.judging.unseen_words import unseen_word_sets
from smar.params import Params
from smar.paths import Paths
from smar.seeding import generator
from smar.train.dataset import TrainingData
from smar.train.prepare import read_training_data


def changed(path: Path, changes: list[str]) -> Params:
    """Return the parameters of a project with some values changed."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for change in changes:
        key, _, value = change.partition("=")
        section = content
        *parts, last = key.split(".")
        for part in parts:
            section = section.setdefault(part, {})
        section[last] = yaml.safe_load(value) if value else ""
    return Params.model_validate(content)


def with_less_log(root: Path, frac: float, seed: int, folder: Path) -> Path:
    """Return a project like another whose log has a share of its training queries.

    Held-out and judged queries stay, and so do synthetic ones: a young shop has its catalogue.

    Args:
        root: The project.
        frac: Share of the queries, each with all its searches and clicks.
        seed: Draws them.
        folder: An empty folder for the other.
    """
    paths, other = Paths(root.resolve()), Paths(folder)
    other.accepted.mkdir(parents=True)
    for place in (paths.root, paths.data, paths.accepted):
        for file in place.iterdir():
            target = folder / file.relative_to(paths.root)
            if not target.exists() and file != paths.queries:
                target.symlink_to(file)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    drawn = generator(seed, "less log").random(len(queries)) < frac
    schema.write_table(
        other.queries, queries[drawn | (queries["split"] != "train")], schema.QUERIES
    )
    return folder


class StartShop:
    """A project with a share of its log.

    Queries and what is drawn of the log hang on the project's own seed, whatever that of a training
    is, so that trainings of several seeds are judged by the same.

    Args:
        options: As `benchmarks.starts` reads them; changes that concern the log are those of all
            starts.
        folder: An empty folder for a project with less log; it has to stay as long as this is used.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self.paths, seed = Paths(options.project), self.params.seed
        if options.log_frac < 1:
            self.paths = Paths(with_less_log(options.project, options.log_frac, seed, folder))

    @cached_property
    def params(self) -> Params:
        """Parameters without what a start changes."""
        return changed(self._options.project / "params.yaml", self._options.shared)

    @cached_property
    def items(self) -> pd.DataFrame:
        """Item table (`schema.ITEMS`)."""
        return schema.read_table(self.paths.items, schema.ITEMS)

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the items, [N]."""
        return list(self.items["item_id"])

    @cached_property
    def words(self) -> WordIndex:
        """The words of the items' texts."""
        texts = item_texts(self.items)
        return WordIndex.build(texts, stemmer=stemmer_of(texts))

    @cached_property
    def data(self) -> TrainingData:
        """Pairs of the log and synthetic ones."""
        return self._read()

    @cached_property
    def clicks(self) -> TrainingData:
        """Pairs of the log alone, where it has enough of them."""
        return self._read(clicks_suffice=True)

    @cached_property
    def queries(self) -> QuerySet:
        """The queries that are judged."""
        return self._named(self._options.set)

    @cached_property
    def validation(self) -> QuerySet:
        """The queries that choices are made by."""
        return self._named("validation")

    @cached_property
    def unseen(self) -> QuerySet:
        """Queries of words that no training query used."""
        found = unseen_word_sets(self.items, self._sets.log.trained, self.ids, self.params.seed)
        return found[self._options.set == "test"]

    @cached_property
    def colours(self) -> NDArray[np.object_]:
        """The one colour that the title of each item names in the feed, "" for none, [N]."""
        params = self.params.ingest
        table = pd.read_csv(self.paths.root / params.folder / params.feed.file, dtype=str)
        named = table.set_index("id")[self._options.colours].reindex(self.items["item_id"])
        return np.array(colours(named.fillna("")), object)

    @cached_property
    def _sets(self) -> ShopSets:
        grade = self.params.evaluate.relevant_grade
        return ShopSets.read(self.paths, self.ids, grade, self.params.seed)

    def _named(self, name: str) -> QuerySet:
        return next(one for one in self._sets.sets if one.name == name)

    def _read(self, *, clicks_suffice: bool = False) -> TrainingData:
        categories, clicks = self.params.gate.visual_categories, self.params.clicks
        return read_training_data(
            self.paths, self.items, categories, clicks, clicks_suffice=clicks_suffice
        )
