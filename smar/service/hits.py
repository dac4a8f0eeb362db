"""Items that were found, and the page of them that a search shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from smar.pages.links import item_link

if TYPE_CHECKING:
    from smar.service.items import ItemTable


@dataclass(frozen=True)
class Place:
    """Where one retriever by itself puts an item.

    Args:
        rank: From 1, among the items that the filters allow; equals share the best of their ranks.
        score: What it scores it by.
    """

    rank: int
    score: float

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {"rank": self.rank, "score": self.score}


@dataclass(frozen=True)
class Why:
    """Why an item was found; text, picture and words add up to its score.

    Args:
        text: What its text's vector adds: (1-w) (1-g) Q . S_t.
        picture: What the vector of text and pictures adds: (1-w) g Q . S_m.
        words: What its words add: w BM25 / idf, less what speaks against it.
        by_vectors: Its place by vectors alone.
        by_words: Its place by words alone, None without a common word.
        matched: The words of the query that its text has.
        pictured: Those that its text leaves out and its pictures tell.
        searched: Those that its text leaves out and searches used that led to it.
        excluded: Those that speak against it, for its own words exclude them.
    """

    text: float
    picture: float
    words: float
    by_vectors: Place | None
    by_words: Place | None
    matched: list[str]
    pictured: list[str]
    searched: list[str]
    excluded: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {
            "text": self.text,
            "picture": self.picture,
            "words": self.words,
            "by_vectors": self.by_vectors.as_dict() if self.by_vectors else None,
            "by_words": self.by_words.as_dict() if self.by_words else None,
            "matched": self.matched,
            "pictured": self.pictured,
            "searched": self.searched,
            "excluded": self.excluded,
        }


@dataclass(frozen=True)
class Hit:
    """An item that was found.

    Args:
        rank: From 1, over all pages.
        score: Of vectors and words together, in [-1, 1] (`HybridIndex`); 0 without a query.
        item: Every field that ingest kept, as in `schema.ITEMS` without image_ids: texts, "" where
            unknown; numbers and times (ISO 8601), None where unknown; `more` an object.
        pictures: SHA-256 of its pictures' files in the picture store, main one first.
        relevance: Probability that it is relevant, None where the release has no calibration.
        others: Further matching items that collapsing put behind this one; 0 otherwise.
        why: Why it was found, None unless asked for.
    """

    rank: int
    score: float
    item: Mapping[str, Any]
    pictures: Sequence[str] = ()
    relevance: float | None = None
    others: int = 0
    why: Why | None = None

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self.item["item_id"]

    @property
    def title(self) -> str:
        """Its title."""
        return self.item["title"]

    @property
    def brand(self) -> str:
        """Its brand, "" if unknown."""
        return self.item["brand"]

    @property
    def category(self) -> str:
        """Its category, "" if unknown."""
        return self.item["category"]

    @property
    def price(self) -> float | None:
        """Its price, None if unknown."""
        return self.item["price"]

    @property
    def currency(self) -> str:
        """Currency of the price."""
        return self.item["currency"]

    @property
    def link(self) -> str:
        """Its page in the shop, "" if the feed names none."""
        more = self.item["more"]
        return item_link(more) if more else ""

    def as_dict(self, pictures: str = "") -> dict[str, Any]:
        """Return the hit in plain types, the item's fields beside rank and score.

        Args:
            pictures: What stands before the SHA-256 of each picture, such as an address.
        """
        return {
            "rank": self.rank,
            "score": self.score,
            "relevance": self.relevance,
            **self.item,
            "link": self.link,
            "pictures": [pictures + sha for sha in self.pictures],
            "others": self.others,
            **({"why": self.why.as_dict()} if self.why else {}),
        }


class Page(Sequence[Hit]):
    """The hits of a page in their order, made of its rows when somebody looks at one.

    What sends them on as bytes looks at rows, scores and the like alone.

    Args:
        items: The items.
        rows: Of the hits, [k].
        scores: Of the hits, [k].
        relevance: Of the hits, [k]; None where nothing is calibrated.
        offset: Hits before the first one here.
        others: By row, what collapsing put behind it.
    """

    def __init__(
        self,
        items: "ItemTable",
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        relevance: NDArray[np.float64] | None,
        offset: int = 0,
        others: Mapping[int, int] | None = None,
    ) -> None:
        self.items, self.rows, self.offset = items, rows, offset
        self.scores: list[float] = [round(score, 6) for score in scores.tolist()]
        self.relevance: Sequence[float | None] = (
            [None] * len(rows) if relevance is None else relevance.tolist()
        )
        self.others = others or {}

    @cached_property
    def _made(self) -> list[Hit]:
        facts = zip(self.rows.tolist(), self.scores, self.relevance, strict=True)
        return [
            Hit(rank, score, item, self.items.pictures_of(row), relevance, self.others.get(row, 0))
            for rank, (item, (row, score, relevance)) in enumerate(
                zip(self.items.read(self.rows), facts, strict=True), start=self.offset + 1
            )
        ]

    @property
    def item_ids(self) -> list[str]:
        """The ids of the hits."""
        return self.items.ids(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Hit]: ...
    def __getitem__(self, place: int | slice) -> Hit | list[Hit]:
        return self._made[place]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._made)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._made == list(other)

    __hash__ = None  # type: ignore[assignment]
