"""The words of an item, by field, that synthetic queries are made of."""

import re
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:[-'.]\w+)*")


@dataclass(frozen=True)
class ItemWords:
    """An item's fields as lower-case words.

    Args:
        title: Words of the title, in order, never empty.
        fields: The brand, the last category level and each attribute value, as words; none empty.
    """

    title: list[str]
    fields: list[list[str]]


def item_words(title: str, brand: str, category: str, attributes: str) -> ItemWords:
    """Return the words of an item from its columns."""
    # The name of an attribute ends with the first colon and space: "size: EU: 42".
    values = [part.split(": ", 1)[-1] for part in attributes.split(";")]
    fields = [words_of(text) for text in (brand, category.rpartition(" > ")[2], *values)]
    return ItemWords(words_of(title) or [title.lower()], [words for words in fields if words])


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a text; "t-shirt" and "3.5" are one word each."""
    return _WORD.findall(text.lower())
