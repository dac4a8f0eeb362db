"""From the beginning of a query to whole ones."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from smar.data.schema import normalize_query
from smar.errors import Problem, RequestError
from smar.index.spelling import Speller
from smar.service.suggestions import QUERY, WORD

MOST = 50
"""Suggestions that can be asked for."""
_LONGEST = 200  # characters of a beginning; nothing longer is suggested
_ALIKE = 2  # characters
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Suggestion:
    """A query that a shopper may mean.

    Args:
        text: The query.
        kind: "query" of the log; "brand", "category" or both of the catalogue.
        count: Searches of a query, items of all others.
        is_mended: Whether what was typed had to be mended to lead here.
    """

    text: str
    kind: str
    count: int
    is_mended: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types."""
        return {
            "text": self.text,
            "kind": self.kind,
            "count": self.count,
            "mended": self.is_mended,
        }


class Suggester:
    """Finds suggestions by how they, or one of their words, begin.

    Args:
        rows: Text, kind and count of each, as the columns of `suggestions.SCHEMA`.
    """

    def __init__(self, rows: Iterable[tuple[str, str, int]]) -> None:
        words: Counter[str] = Counter()
        rest = []
        for text, kind, count in rows:
            words.update(dict.fromkeys(text.split(), count))
            if kind != WORD:
                rest.append(Suggestion(text, kind, count))
        # What was searched comes before what is only for sale; a text stands once.
        rest.sort(key=lambda each: (each.kind != QUERY, -each.count, each.text))
        self._all = list({each.text: each for each in reversed(rest)}.values())[::-1]
        self._speller = Speller(words)
        starts = (
            (text, place, start == 0)
            for place, each in enumerate(self._all)
            for start, text in _from_each_word(each.text)
        )
        self._starts = _in_pieces(starts)

    def suggest(self, beginning: str, k: int = 8) -> list[Suggestion]:
        """Return what may be meant, best first.

        Queries that begin so come first, then those with a word that does; of each the most
        frequent. Where there is none, misspelled words are mended.

        Args:
            beginning: What was typed; a blank at its end ends its last word.
            k: How many at most.

        Raises:
            RequestError: If k is no whole number from 1 to `MOST`.
        """
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
            raise RequestError([Problem("k", f"{k!r}, expected a whole number from 1 to {MOST}")])
        text = normalize_query(beginning[: _LONGEST + 1])
        if not text or len(beginning) > _LONGEST:
            return []
        is_ended = beginning[-1].isspace()
        found = self._found(text + " " * is_ended, k)
        if found:
            return found
        mended = self._mended(text, is_ended=is_ended)
        if mended == text:
            return []
        further = self._found(mended + " " * is_ended, k) or self._found(mended, k)
        return [Suggestion(each.text, each.kind, each.count, is_mended=True) for each in further]

    def _found(self, beginning: str, k: int) -> list[Suggestion]:
        low = bisect_left(self._starts, (beginning,))
        high = bisect_left(self._starts, (beginning + _LAST,))
        best: dict[int, bool] = {}
        for _, place, is_first in self._starts[low:high]:
            best[place] = best.get(place, False) or is_first
        places = sorted(best, key=lambda place: (not best[place], place))[:k]
        return [self._all[place] for place in places]

    def _mended(self, text: str, *, is_ended: bool) -> str:
        *whole, last = text.split(" ")
        end = self._speller.mended if is_ended else self._speller.mended_beginning
        return " ".join([*(self._speller.mended(word) for word in whole), end(last)])


def _in_pieces(starts: Iterable[tuple[str, int, bool]]) -> list[tuple[str, int, bool]]:
    """Return beginnings in their order.

    To sort a million at once holds up all that the process does for a second, a service that loads
    its next release too: those that begin alike are sorted by themselves.
    """
    alike: dict[str, list[tuple[str, int, bool]]] = {}
    for each in starts:
        alike.setdefault(each[0][:_ALIKE], []).append(each)
    return [each for beginning in sorted(alike) for each in sorted(alike[beginning])]


def _from_each_word(text: str) -> Iterator[tuple[int, str]]:
    """Yield a text from each of its words on, with where that begins."""
    start = 0
    while start >= 0:
        yield start, text[start:]
        blank = text.find(" ", start)
        start = blank + 1 if blank >= 0 else -1
