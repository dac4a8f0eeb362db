"""Misspelled queries, for a query tower that has to read them."""

import re
from random import Random

# Words that can lose a letter and stay readable; one with a digit is a size or a model number.
_WORD = re.compile(r"\b[^\W\d_]{3,}\b")


def misspell(query: str, rng: Random) -> str:
    """Return a query with one slip of the keyboard, in a word of three letters or more.

    The slip is one of four, each as likely: two neighbours change places (the space behind a word
    counts as one), a letter is lost, one is too many, one is wrong. They make up four of five
    misspellings (Damerau, 1964), and queries bent like this teach a tower to find what it finds for
    the right ones (Zhuang and Zuccon, 2021). New letters are the query's own, so that its script
    stays. A query without such a word is returned as it is; so is one that the slip leaves alike.
    """
    places = [place for word in _WORD.finditer(query) for place in range(*word.span())]
    if not places:
        return query
    place, letter = rng.choice(places), query[rng.choice(places)]
    before, here, after = query[:place], query[place], query[place + 1 :]
    match rng.randrange(4):
        case 0:
            return before + after[:1] + here + after[1:]
        case 1:
            return before + after
        case 2:
            return before + letter + here + after
        case _:
            return before + letter + after
