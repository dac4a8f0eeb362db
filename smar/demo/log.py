"""What shoppers of the demo shop search for, see and do; and the judged test queries.

A wish is a kind of item with some of its facts or its brand: "red striped dress", "usb c cable 2m",
"Velmo boots". Some wishes are popular, most are rare, some are kept out of the log for the test.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from smar.demo.catalogue import DemoItem

SHOWN = 20
_START = datetime(2026, 9, 1, tzinfo=UTC)
_DAYS = 30
_CLIENTS = 400
_TYPOS = 0.03
_POPULARITY = 0.9  # exponent of the Zipf law of wishes
_POSITION_BIAS = 0.5  # a result at rank r is looked at with chance r ** -0.5
_CLICK = (0.02, 0.12, 0.75)  # nothing asked for but the kind or less, all but one, all
_CART, _PURCHASE = 0.3, 0.35


@dataclass(frozen=True)
class Wish:
    """What a shopper has in mind.

    Args:
        kind: Name of the kind.
        facts: Required attributes, brand among them, sorted by name.
    """

    kind: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Search:
    """One search with what was shown and done.

    Args:
        search_id: Its id.
        client_id: Who searched.
        text: What was typed.
        time: When.
        shown: Item ids, best first.
        events: (action, item id, position from 1, time).
    """

    search_id: str
    client_id: str
    text: str
    time: datetime
    shown: list[str]
    events: list[tuple[str, str, int, datetime]]


@dataclass(frozen=True)
class TestQuery:
    """A judged query.

    Args:
        query_id: Its id.
        text: The query.
        grades: Grade by item id: 2 = all that was asked for, 1 = all but one.
    """

    query_id: str
    text: str
    grades: dict[str, int]


class Shop:
    """Answers wishes exactly, for judging and for the simulated ranker.

    Args:
        items: The items.
    """

    def __init__(self, items: list[DemoItem]) -> None:
        self.items = items
        self._kind = np.array([item.kind.name for item in items])
        self._facts = [{**item.facts, "brand": item.brand} for item in items]

    def matched(self, wish: Wish) -> NDArray[np.int64]:
        """Return how many of the wish's facts each item has, -1 where the kind is another."""
        counts = np.full(len(self.items), -1)
        for row in np.flatnonzero(self._kind == wish.kind):
            facts = self._facts[row]
            counts[row] = sum(facts.get(name) == value for name, value in wish.facts)
        return counts

    def draw_wish(self, rng: np.random.Generator) -> Wish:
        """Return a wish that at least one item fulfils."""
        row = int(rng.integers(len(self.items)))
        facts = {name: value for name, value in self._facts[row].items() if value != "plain"}
        brand = facts.pop("brand")
        names = list(facts)
        size = min(len(names), 1 + int(rng.random() < 0.45))
        chosen = (
            {name: facts[name] for name in rng.choice(names, size, replace=False)} if names else {}
        )
        if rng.random() < 0.2 or not chosen:
            chosen["brand"] = brand
        return Wish(self.items[row].kind.name, tuple(sorted(chosen.items())))


def simulate(
    shop: Shop, num_searches: int, rng: np.random.Generator
) -> tuple[list[Search], list[TestQuery]]:
    """Return the log in the order of time, and the judged test queries.

    A third of the test queries are popular wishes of the log, the others wishes that the log never
    has, in any wording.
    """
    wishes = list(dict.fromkeys(shop.draw_wish(rng) for _ in shop.items))
    num_test = max(30, len(wishes) // 4)
    held_out, logged = wishes[: 2 * num_test // 3], wishes[2 * num_test // 3 :]
    seen = logged[: num_test - len(held_out)]
    weights = 1 / np.arange(1, len(logged) + 1) ** _POPULARITY
    drawn = rng.choice(len(logged), num_searches, p=weights / weights.sum())
    seconds = np.sort(rng.random(num_searches)) * _DAYS * 86400
    matched = {number: shop.matched(logged[number]) for number in np.unique(drawn)}
    searches = [
        _search(f"s{place:06d}", shop, logged[number], matched[number], _at(seconds[place]), rng)
        for place, number in enumerate(drawn)
    ]
    tests = [
        _judged(f"t{place:04d}", shop, wish, rng) for place, wish in enumerate(held_out + seen)
    ]
    return searches, [test for test in tests if 2 in test.grades.values()]


def _at(seconds: float) -> datetime:
    return _START + timedelta(seconds=int(seconds))


def _search(
    search_id: str,
    shop: Shop,
    wish: Wish,
    matched: NDArray[np.int64],
    time: datetime,
    rng: np.random.Generator,
) -> Search:
    # The shop's own ranker knows the kind and half-knows the rest.
    scores = 0.9 * (matched >= 0) + 0.5 * np.maximum(matched, 0) + rng.gumbel(0, 0.45, len(matched))
    order = np.argpartition(-scores, SHOWN)[:SHOWN]
    order = order[np.argsort(-scores[order])]
    missing = len(wish.facts) - matched[order]
    level = np.where(matched[order] < 0, 0, np.where(missing == 0, 2, np.where(missing == 1, 1, 0)))
    looked = rng.random(SHOWN) < np.arange(1, SHOWN + 1) ** -_POSITION_BIAS
    clicked = looked & (rng.random(SHOWN) < np.array(_CLICK)[level])
    events = []
    for place in np.flatnonzero(clicked):
        item_id, moment = shop.items[order[place]].item_id, time + timedelta(seconds=5 + int(place))
        events.append(("click", item_id, int(place) + 1, moment))
        if level[place] and rng.random() < _CART:
            events.append(("add_to_cart", item_id, int(place) + 1, moment + timedelta(seconds=30)))
            if rng.random() < _PURCHASE:
                moment += timedelta(seconds=120)
                events.append(("purchase", item_id, int(place) + 1, moment))
    return Search(
        search_id=search_id,
        client_id=f"c{int(rng.integers(_CLIENTS)):04d}",
        text=_typed(_words(shop, wish, rng), rng),
        time=time,
        shown=[shop.items[row].item_id for row in order],
        events=events,
    )


def _judged(query_id: str, shop: Shop, wish: Wish, rng: np.random.Generator) -> TestQuery:
    matched = shop.matched(wish)
    grades = {}
    for row in np.flatnonzero(matched >= 0):
        missing = len(wish.facts) - int(matched[row])
        if missing <= 1:
            grades[shop.items[row].item_id] = 2 - missing
    return TestQuery(query_id, _words(shop, wish, rng), grades)


def _words(shop: Shop, wish: Wish, rng: np.random.Generator) -> str:
    """Return one way to say a wish."""
    kind = next(item.kind for item in shop.items if item.kind.name == wish.kind)
    noun = (kind.name, kind.plural, kind.plural, kind.synonym)[int(rng.integers(4))]
    facts = [value for _, value in wish.facts]
    if len(facts) > 1 and rng.random() < 0.3:
        facts.reverse()
    words = [*facts, noun] if rng.random() < 0.8 else [noun, *facts]
    return " ".join(words).lower()


def _typed(text: str, rng: np.random.Generator) -> str:
    """Return a text as typed: now and then two letters are swapped or one is lost."""
    if rng.random() >= _TYPOS or len(text) < 5:
        return text
    place = 1 + int(rng.integers(len(text) - 3))
    if rng.random() < 0.5:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + text[place + 1 :]
