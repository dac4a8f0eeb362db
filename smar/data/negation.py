"""What a query says is not wanted: "shirt not red", "dress without stripes", "non floral skirt"."""

from collections.abc import Sequence
from dataclasses import dataclass

NEGATORS = ("not", "no", "non", "without")
DENYING = (*NEGATORS, "free", "zero", "less")
"""Words of an item's text beside which a word may say that the item is without it."""
_REACHING = ("no", "without")  # behind what is wanted they speak of all that follows
_PASSED = ("a", "an", "any", "the", "in", "with")
_OR, _AND = ("or", "nor"), ("and", "but")


@dataclass(frozen=True)
class Negation:
    """A query in two parts.

    Args:
        wanted: What is left of it without the rest; at least one word.
        unwanted: Phrases of words that an item shall not have all of; at least one phrase.
    """

    wanted: str
    unwanted: tuple[tuple[str, ...], ...]


def negation_of(text: str) -> Negation | None:
    """Return what a normalised English query wants and does not want.

    None where it denies nothing, wants nothing beside, or what it denies is no word of letters.

    After "not" and "non" one word is denied, and after "no" and "without" too where nothing stands
    before them ("no stripes dress"); behind what is wanted these deny all that follows ("dress
    without red stripes"). "or" and "nor" go on with another one, after "no" and "without" also
    "and".
    """
    words, wanted, unwanted = _parted(text), list[str](), list[tuple[str, ...]]()
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if word in _AND and words[place : place + 1] and words[place] in NEGATORS:
            continue
        if word not in NEGATORS:
            wanted.append(word)
            continue
        reaches = word in _REACHING and bool(wanted)
        while True:
            phrase, place = _phrase(words, place, reaches=reaches)
            unwanted.append(phrase)
            if not _goes_on(words, place, reaches=word in _REACHING):
                break
            place += 1
    is_told = all(phrase and all(map(str.isalpha, phrase)) for phrase in unwanted)
    return Negation(" ".join(wanted), tuple(unwanted)) if wanted and unwanted and is_told else None


def _parted(text: str) -> list[str]:
    """Return the words of a query, "non-floral" as two."""
    words = []
    for word in text.split():
        start, _, rest = word.partition("-")
        words += [start, rest] if start == "non" and rest else [word]
    return words


def _phrase(words: Sequence[str], place: int, *, reaches: bool) -> tuple[tuple[str, ...], int]:
    """Return what is denied from a place on, and the place behind it."""
    while place < len(words) and words[place] in _PASSED:
        place += 1
    end = place
    while end < len(words) and words[end] not in (*_OR, *_AND, *NEGATORS):
        end += 1
        if not reaches:
            break
    return tuple(word for word in words[place:end] if word not in _PASSED), end


def _goes_on(words: Sequence[str], place: int, *, reaches: bool) -> bool:
    if place + 1 >= len(words) or words[place] not in (*_OR, *_AND):
        return False
    if words[place] in _OR:
        return words[place + 1] not in NEGATORS
    return reaches and words[place] == "and" and words[place + 1] not in (*NEGATORS, "with")
