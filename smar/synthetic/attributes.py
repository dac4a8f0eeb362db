"""Combinations of single words from all over the item."""

from random import Random

from smar.synthetic.words import ItemWords


def attributes(item: ItemWords, rng: Random, shortest: int, longest: int) -> list[str]:
    """Return distinct words drawn from title and fields, in random order.

    The form of "women red sandal": an attribute, another, and what it is.
    """
    pool = list(dict.fromkeys([*item.title, *(word for words in item.fields for word in words)]))
    longest = min(longest, len(pool))
    length = min(shortest, longest) + int(rng.random() * (longest - min(shortest, longest) + 1))
    for place in range(length):  # a partial Fisher-Yates shuffle
        other = place + int(rng.random() * (len(pool) - place))
        pool[place], pool[other] = pool[other], pool[place]
    return pool[:length]
