"""Words that nobody knows, read as the known words they are a slip away from.

Shapes: V words.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import orjson
import regex
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from smar.errors import ArtifactError
from smar.index.item_words import ItemWords
from smar.index.letters import LEFT, LETTERS, RUNS
from smar.index.word_forms import WordForms, fold
from smar.index.words import WordIndex

FILE = "spelling.json"
SHORTEST = 4
"""Letters of a word that is mended: "tea" is not teal."""
_LONG = 8  # letters from which two slips are one word still
_LEAST_ASKED = 3  # training queries that use a word which no item has: one may be a slip
_MORE_ASKED = 10  # times as often asked for as a slip of it
_REMEMBERED = 50_000  # words of queries
_BITS = 64

_DIGIT = regex.compile(r"\p{N}")


class Speller:
    """Mends words to known ones: one slip away, of eight letters or more two.

    A slip is a letter too many, too few or wrong, or two neighbours that changed places (optimal
    string alignment). The nearest word is meant, of several as near the most frequent.

    Args:
        words: Words to mend to, with how often they are.
        known: Words that are right as they are.
    """

    def __init__(self, words: Mapping[str, int], known: Iterable[str] = ()) -> None:
        self._counts = words
        self._known = {*words, *known}

    def mended(self, word: str) -> str:
        """Return the nearest known word, the word itself if it is known or none is near."""
        return word if word in self._known else _meant(word, self._counts, self._near)

    @cached_property
    def _near(self) -> "NearWords":
        return NearWords(self._counts)

    def mended_beginning(self, word: str) -> str:
        """Return the nearest beginning of a known word, the word itself if it is one."""
        if not _slips(word) or any(known.startswith(word) for known in self._counts):
            return word
        beginnings: Counter[str] = Counter()
        for known, count in self._counts.items():
            for size in (len(word) - 1, len(word), len(word) + 1):
                if size <= len(known):
                    beginnings[known[:size]] += count
        return _meant(word, beginnings, NearWords(beginnings))


class NearWords:
    """Finds the words within some slips of another.

    A letter that a slip adds, takes away or puts in place of another changes the set of a word's
    letters by two at most, so that most words are passed over by one comparison of bits.

    Args:
        words: The words.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = [word for word in words if word]
        self._lengths = np.array([len(word) for word in self._words], np.int64)  # [V]
        self._letters = _letters(self._words, self._lengths)

    def of(self, word: str, slips: int) -> list[tuple[int, str]]:
        """Return slips and word of all words that are at most so many away, in their order."""
        own = _letters([word], np.array([len(word)]))
        others = np.bitwise_count(self._letters ^ own)
        may_be = (others <= 2 * slips) & (np.abs(self._lengths - len(word)) <= slips)
        near = (
            (OSA.distance(word, self._words[place], score_cutoff=slips), self._words[place])
            for place in np.flatnonzero(may_be).tolist()
        )
        return [(distance, found) for distance, found in near if distance <= slips]


class Spelling:
    """What a query's words are read as.

    A word is known if an item has it in any form, or three training queries use it which are no
    slip of another. A word that is not known and has a known one near it is read as that one. One
    that is known by another ending alone is read with the most frequent ending: for the words of
    items both are one, for an encoder that has seen only the one they are not. Others, short ones,
    and what has a digit stay as they are.

    Args:
        counts: Words to mend to: the items and training queries that have each.
        words: The words of the items.
    """

    def __init__(self, counts: Mapping[str, int], words: WordIndex) -> None:
        self.counts = counts
        self._words = words
        self._speller = Speller(counts)
        self._of_word = lru_cache(_REMEMBERED)(self._read_word)

    @classmethod
    def of(cls, letters: ItemWords, asked: Mapping[str, int], words: WordIndex) -> Self:
        """Return what queries of a shop are read by.

        Args:
            letters: What texts of the items can be mended to (`read_letters`).
            asked: How many queries that the model was trained on have each word (`counted`).
            words: The index of the items' words.
        """
        held = letters.found_in()
        both = held + Counter({word: n for word, n in asked.items() if n >= _LEAST_ASKED})
        near = NearWords(both)
        slips = {
            word
            for word in both.keys() - held.keys()
            if not _is_held(words, word) and is_slip(word, asked, near)
        }
        return cls({word: both[word] for word in sorted(both.keys() - slips)}, words)

    def read(self, text: str) -> str:
        """Return a normalised query with its words mended; itself if there is nothing to mend."""
        read = RUNS.sub(lambda run: self._read_run(run[0]), text)
        return text if read == text else read

    def is_mended(self, typed: str, read: str) -> bool:
        """Return whether a query is read as other words, and not only with other endings."""
        return typed != read and self._forms_of(typed) != self._forms_of(read)

    def _forms_of(self, text: str) -> list[str]:
        return [first for first, _ in self._words.forms(text)]

    @cached_property
    def _usual(self) -> dict[str, str]:
        """The most frequent of the words that are one for the items' words, by that one."""
        usual: dict[str, str] = {}
        forms = WordForms(self._words.stemmer)
        for word in sorted(self.counts, key=lambda word: (-self.counts[word], word)):
            usual.setdefault(forms.of_text(word)[0], word)
        return usual

    def _read_run(self, run: str) -> str:
        return run if LEFT.search(run) else LETTERS.sub(lambda word: self._of_word(word[0]), run)

    def _read_word(self, word: str) -> str:
        folded = fold(word)
        if folded in self.counts:
            return word
        if _is_held(self._words, folded):
            return self._usual.get(self._forms_of(folded)[0], word)
        mended = self._speller.mended(folded)
        return word if mended == folded else mended

    @classmethod
    def load(cls, folder: Path, words: WordIndex) -> Self:
        """Return what `write` wrote.

        Raises:
            ArtifactError: If the file is missing or cannot be read.
        """
        try:
            counts = orjson.loads((folder / FILE).read_bytes())
            return cls({str(word): int(count) for word, count in counts.items()}, words)
        except (OSError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"{folder / FILE}: cannot be read ({error}). Run `dvc repro`."
            ) from error

    def write(self, folder: Path) -> None:
        """Write the words beside those of the items."""
        (folder / FILE).write_bytes(orjson.dumps(self.counts))


def _is_held(words: WordIndex, word: str) -> bool:
    return any(numbers for _, numbers in words.forms(word))


def is_slip(word: str, asked: Mapping[str, int], near: NearWords) -> bool:
    """Return whether a word of queries is near one that is asked for ten times as often."""
    return any(
        asked.get(other, 0) >= _MORE_ASKED * asked[word] for _, other in near.of(word, _slips(word))
    )


def _slips(word: str) -> int:
    """Return how many slips a word may have: in short words and numbers each character counts."""
    if len(word) < SHORTEST or _DIGIT.search(word):
        return 0
    return 1 if len(word) < _LONG else 2


def _meant(word: str, counts: Mapping[str, int], near: NearWords) -> str:
    """Return the word that is meant by one that is not known, itself if none is near."""
    found = [(slips, -counts[other], other) for slips, other in near.of(word, _slips(word))]
    return min(found)[-1] if found else word


def _letters(words: Sequence[str], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the set of letters of each word, none empty, as bits, [V]."""
    if not words:
        return np.empty(0, np.uint64)
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32)
    bits = np.uint64(1) << (codes % _BITS).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, np.cumsum(lengths) - lengths)
