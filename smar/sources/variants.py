"""What exports of shops share: numbered options, and prices that were cut."""

from smar.sources.prices import parse_prices

OPTIONS = (1, 2, 3)


def is_greater(left: str, right: str) -> bool:
    """Return whether one price is above another; False if either cannot be read."""
    first, second = parse_prices([left, right]).values
    return first is not None and second is not None and first.amount > second.amount
