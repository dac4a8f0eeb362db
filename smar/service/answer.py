"""What a search answers: one form for the command line, Python and HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smar.index.reasons import WordReason
from smar.index.relevance import WEAK
from smar.pages.links import item_link


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
        words: What its words add: w BM25 / idf.
        by_vectors: Its place by vectors alone.
        by_words: Its place by words alone, None without a common word.
        matched: The words of the query that its text has.
    """

    text: float
    picture: float
    words: float
    by_vectors: Place | None
    by_words: Place | None
    matched: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {
            "text": self.text,
            "picture": self.picture,
            "words": self.words,
            "by_vectors": self.by_vectors.as_dict() if self.by_vectors else None,
            "by_words": self.by_words.as_dict() if self.by_words else None,
            "matched": self.matched,
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


@dataclass(frozen=True)
class Stats:
    """Numbers of the matching items that have one.

    Args:
        count: How many have one.
        least: The smallest.
        most: The largest.
        mean: Their mean.
    """

    count: int
    least: float
    most: float
    mean: float

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {"count": self.count, "min": self.least, "max": self.most, "mean": self.mean}


@dataclass(frozen=True)
class Facet:
    """How often each value of a field is among the matching items.

    Args:
        counts: Value to matching items, most frequent first, equals in the order of the values.
        values: How many different values there are, also those that were cut off.
        unknown: Matching items without a value.
        stats: Of a field of numbers; None of a text, and where no item has a number.
    """

    counts: dict[str, int]
    values: int
    unknown: int
    stats: Stats | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {
            "counts": self.counts,
            "values": self.values,
            "unknown": self.unknown,
            **({"stats": self.stats.as_dict()} if self.stats else {}),
        }


@dataclass(frozen=True)
class Shares:
    """How much text, picture and words count in a query's scores; they add up to 1.

    Args:
        text: (1-w) (1-g).
        picture: (1-w) g.
        words: w.
    """

    text: float
    picture: float
    words: float

    @classmethod
    def of(cls, gate: float, word_share: float) -> "Shares":
        """Return the shares of a query's gate g and its words' share w."""
        return cls((1 - word_share) * (1 - gate), (1 - word_share) * gate, word_share)

    def as_dict(self) -> dict[str, Any]:
        """Return them in plain types."""
        return {"text": self.text, "picture": self.picture, "words": self.words}


@dataclass(frozen=True)
class Answer:
    """What a search found.

    Args:
        query_id: The name under which the search is logged.
        query: The query as it was asked.
        release: Version of the release that answered, "" for the working tree.
        total: Hits that there are on all pages together.
        offset: Hits before the first one here.
        limit: Hits that were asked for.
        hits: The hits.
        facets: By field.
        gate: P(q) in [0, 1]: how much the picture counts beside the text; 0 without a query.
        shares: How much text, picture and words count.
        milliseconds: Time by part: filter, encode, vectors, words, ranking, facets, fetch; and
            total. Queries of one batch are encoded and searched together, so that each has waited
            for all of them.
        reasons: What each word of the query does to its shares, empty unless asked for.
    """

    query_id: str
    query: str
    release: str
    total: int
    offset: int
    limit: int
    hits: list[Hit]
    facets: dict[str, Facet]
    gate: float
    shares: Shares
    milliseconds: dict[str, float] = field(default_factory=dict)
    reasons: Sequence[WordReason] = ()

    @property
    def is_weak(self) -> bool:
        """Whether hits have a relevance and none is more likely relevant than not."""
        told = [hit.relevance for hit in self.hits if hit.relevance is not None]
        return bool(told) and max(told) < WEAK

    def as_dict(self, pictures: str = "") -> dict[str, Any]:
        """Return the answer in plain types; as `Hit.as_dict`."""
        return {
            "query_id": self.query_id,
            "query": self.query,
            "release": self.release,
            "total": self.total,
            "offset": self.offset,
            "limit": self.limit,
            "gate": self.gate,
            "shares": self.shares.as_dict(),
            "hits": [hit.as_dict(pictures) for hit in self.hits],
            "facets": {name: facet.as_dict() for name, facet in self.facets.items()},
            "milliseconds": self.milliseconds,
            **({"reasons": [one.as_dict() for one in self.reasons]} if self.reasons else {}),
        }
