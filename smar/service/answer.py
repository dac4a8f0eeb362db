"""What a search answers: one form for the command line, Python and HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smar.index.reasons import WordReason
from smar.index.relevance import WEAK
from smar.service.hits import Hit


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
        milliseconds: Time by part: filter, encode, vectors, words, ranking, facets, explain; and
            total. Queries of one batch are encoded and searched together, so that each has waited
            for all of them.
        reasons: What each word of the query does to its shares, empty unless asked for.
        corrected: What was searched instead of the query, "" where it was searched as it is.
        left_out: What no hit has because the query says that it is not wanted.
        best_relevance: Of the most relevant item among those that were ranked, on whatever page it
            is; None where nothing was ranked or nothing is calibrated.
    """

    query_id: str
    query: str
    release: str
    total: int
    offset: int
    limit: int
    hits: Sequence[Hit]
    facets: dict[str, Facet]
    gate: float
    shares: Shares
    milliseconds: dict[str, float] = field(default_factory=dict)
    reasons: Sequence[WordReason] = ()
    corrected: str = ""
    left_out: Sequence[str] = ()
    best_relevance: float | None = None

    @property
    def is_weak(self) -> bool:
        """Whether items have a relevance and none is more likely relevant than not."""
        return self.best_relevance is not None and self.best_relevance < WEAK

    def as_dict(self, pictures: str = "") -> dict[str, Any]:
        """Return the answer in plain types; as `Hit.as_dict`."""
        return {
            "query_id": self.query_id,
            "query": self.query,
            "corrected": self.corrected,
            "left_out": list(self.left_out),
            "weak": self.is_weak,
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
