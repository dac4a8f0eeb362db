"""Search: a text query to the items of the index."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from smar.artifacts import read_manifest
from smar.data.images import TABLE
from smar.data.schema import normalize_query
from smar.errors import ArtifactError, DataError
from smar.index.ann import whole_k
from smar.index.hybrid import HybridIndex
from smar.models.embeddings import QueryEmbeddings
from smar.paths import Paths
from smar.service.answer import Answer
from smar.service.answering import answer_all
from smar.service.fields import Fields
from smar.service.filters import EVERYTHING, Filter
from smar.service.finding import TORCH, Parts, QueryTower, Relevance
from smar.service.hits import Hit
from smar.service.items import ItemTable
from smar.service.loading import items_key, kept_items, read_index, read_items
from smar.service.pictures import Pictures
from smar.service.registry import AUTO, KIND, find_release
from smar.service.request import SearchRequest
from smar.service.similar import item_of, similar
from smar.service.suggesting import Suggester, Suggestion
from smar.service.suggestions import (
    Rows,
    build_suggestions,
    rows_of,
    suggestions_of_release,
    suggestions_of_tree,
)
from smar.service.towers import graph_tower
from smar.verified import Verified

if TYPE_CHECKING:
    import pandas as pd

    from smar.models.dual_encoder import DualEncoder


class Retriever:
    """A project's model, index and item table, ready to search.

    Args:
        model: Returns the model, asked with the first need: a graph may stand in for it.
        index: The index of its embeddings and words.
        items: Its items, in its order.
        root: The project's root folder.
        release: Version of the release, "" for the working tree.
        pictures: The pictures at hand, None for none.
        suggestions: Returns what is suggested (`build_suggestions`), asked with the first need;
            None suggests from the items alone.
    """

    def __init__(
        self,
        model: "Callable[[], DualEncoder]",
        index: HybridIndex,
        items: ItemTable,
        root: Path,
        release: str = "",
        pictures: Pictures | None = None,
        suggestions: Callable[[], Rows] | None = None,
    ) -> None:
        self.index, self.items, self.root = index, items, root
        self._load_model = model
        self.release = release
        self.pictures = pictures or Pictures(None)
        self.fields = Fields(items.table, items.kept.nested if items.kept else None)
        self.tower = QueryTower(TORCH, self._encode_by_model)
        self._suggestions = suggestions
        self.relevance: Relevance | None = index.likely if index.calibration else None

    @classmethod
    def load(
        cls, root: Path | str = ".", release: str = AUTO, *, keep_items: bool = False
    ) -> "Retriever":
        """Return the retriever of a project.

        Args:
            root: The project's root folder.
            release: A version such as "v3"; "current"; "none" for the outputs in the working tree,
                released or not; "auto" for the current release if there is one, else "none".
            keep_items: Whether the items of a release are kept in `.smar/items` where they are not
                yet, for this process and others to map; what is kept is taken in any case.

        Raises:
            ReleaseError: If there is no such release.
            ArtifactError: If an artefact is missing or damaged, or model, index and items do not
                come from one run.
        """
        paths = Paths(Path(root))
        pictures = Pictures.open(paths.images)
        folder = find_release(paths.root, release)
        if folder is None:
            manifest, version = None, ""
            parts = paths.retriever, paths.index, paths.items
            sha256, hint = paths.images / TABLE, "Run `dvc repro`."
        else:
            folder = folder.resolve()
            hint = f"`smar verify` tells what is wrong with {folder}, `smar rollback` leaves it."
            with _hinted(hint):
                manifest = read_manifest(folder, KIND)
            version = str(manifest.details["version"])
            parts = folder / "model", folder / "index", folder / "items.parquet"
            sha256 = folder / "pictures.parquet"
        with _hinted(hint):
            index = read_index(parts[0], parts[1], Verified(paths.work / "verified"))

            def read() -> ItemTable:
                return ItemTable(read_items(parts[2], index), pictures.at_hand(sha256))

            key = "" if manifest is None else items_key(manifest, paths.images)

            def is_to_keep() -> bool:
                return keep_items and pictures.is_whole

            items = kept_items(paths.work / "items", key, read, is_to_keep) if key else read()
            tower = graph_tower(paths.root, parts[0], folder, manifest)
        suggested = (
            partial(suggestions_of_release, folder, items.table)
            if folder
            else lambda: rows_of(suggestions_of_tree(paths, items.table))
        )
        model = partial(_model, parts[0], hint)
        made = cls(model, index, items, paths.root, version, pictures, suggested)
        if tower is None:
            made.encode_by_model()
        else:
            made.tower = tower
        return made

    @cached_property
    def model(self) -> "DualEncoder":
        """The model, loaded with the first need.

        Raises:
            ArtifactError: If it is damaged.
        """
        return self._load_model()

    def encode_by_model(self) -> None:
        """Have queries encoded by the model itself, which is loaded now.

        Raises:
            ArtifactError: If it is damaged.
        """
        self._encode_by_model([""])
        self.tower = QueryTower(TORCH, self._encode_by_model)

    def hasten(self) -> None:
        """Search by compiled code from now on, for the same results (`HybridIndex.hastened`).

        It is for who searches many times: the code takes half a second of processor to load, and
        some seconds to compile where no process has done so before.
        """
        self.index = self.index.hastened()

    def answer(self, request: SearchRequest) -> Answer:
        """Return what a search finds.

        Raises:
            RequestError: If it asks for what these items do not have; holds all problems.
        """
        return self.answer_many([request])[0]

    def answer_many(self, requests: Sequence[SearchRequest]) -> list[Answer]:
        """Return what each search finds; a query is encoded once, all of them together."""
        return answer_all(self._parts, requests)

    def search(
        self, query: str, k: int = 10, *, min_relevance: float = 0.0, correct: bool = True
    ) -> list[Hit]:
        """Return the k best items for a query, fewer if there are fewer; as `search_many`."""
        return self.search_many([query], k, min_relevance=min_relevance, correct=correct)[0]

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        min_relevance: float = 0.0,
        correct: bool = True,
    ) -> list[list[Hit]]:
        """Return the k best items for each query.

        Args:
            queries: The queries.
            k: Items per query.
            min_relevance: Items that are less probably relevant are left out; 0 leaves out none.
            correct: Whether misspelled queries are read as what is meant.

        Raises:
            DataError: If a query has no text, or k is no whole number or below 1.
            RequestError: If relevance is asked for and the release has no calibration.
        """
        k = whole_k(k, len(self.items))
        texts = [normalize_query(query) for query in queries]
        if "" in texts:
            raise DataError(f"query {texts.index('') + 1} has no text. Give at least one word.")
        return [
            list(answer.hits)
            for answer in self.answer_many(
                [
                    SearchRequest(query=q, limit=k, min_relevance=min_relevance, correct=correct)
                    for q in queries
                ]
            )
        ]

    def similar(self, item_id: str, k: int = 10, filters: Filter = EVERYTHING) -> list[Hit]:
        """Return the k items most like one, none of its own group; as `similar.similar`.

        Raises:
            RequestError: If there is no such item, or the filter asks for what items do not have.
        """
        return similar(self._parts, item_id, whole_k(k, len(self.items)), filters)

    def item(self, item_id: str) -> Hit:
        """Return an item with all its fields and pictures.

        Raises:
            RequestError: If there is no such item.
        """
        return item_of(self._parts, item_id)

    def suggest(self, beginning: str, k: int = 8) -> list[Suggestion]:
        """Return queries that a shopper may be about to type; as `Suggester.suggest`."""
        return self._suggester.suggest(beginning, k)

    def gate(self, query: str) -> float:
        """Return P(q) in [0, 1]: how much the picture counts for a query."""
        [read] = self.index.read([normalize_query(query)])
        return float(self.tower.encode([self.index.sought(read).text]).gate[0])

    def frame(self) -> "pd.DataFrame":
        """Return the items as a data frame by item id, their image_ids of the picture store."""
        return self.items.frame(self.pictures.place)

    @property
    def word_share(self) -> float:
        """How much of a score an item's words are, in [0, 1); the vectors are the rest."""
        return self.index.word_share

    def _encode_by_model(self, texts: Sequence[str]) -> QueryEmbeddings:
        from smar.models.encode import encode_queries

        return encode_queries(self.model, texts)

    @property
    def _parts(self) -> Parts:
        return Parts(
            encode=self.tower.encode,
            index=self.index,
            items=self.items,
            fields=self.fields,
            release=self.release,
            relevance=self.relevance,
        )

    @cached_property
    def _suggester(self) -> Suggester:
        if self._suggestions is not None:
            return Suggester(self._suggestions())
        return Suggester(rows_of(build_suggestions(self.items.table.to_pandas())))


@contextmanager
def _hinted(hint: str) -> Iterator[None]:
    """Have errors of artefacts end with what can be done."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(f"{error} {hint}") from error


def _model(folder: Path, hint: str) -> "DualEncoder":
    """Return the model of a folder; torch is slow to import, and needed for this alone."""
    from smar.models.io import load_model

    with _hinted(hint):
        return load_model(folder)
