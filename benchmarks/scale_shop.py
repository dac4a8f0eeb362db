"""A made-up shop of any size, quickly: the raw files that ingest reads.

1.5 searches and 2.2 engagements per item, as in SMAR's log; a picture of 80 x 60 pixels each. The
log is a file a day, so that a new day is a new file. What an item or a search is depends on the
seed and its number alone. N items.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from smar.seeding import generator

SEARCHES_PER_ITEM = 1.5
DAYS = 60
LAST_DAY = date(2026, 9, 30)  # the day before `validate.log.as_of`
SETTINGS: dict[str, Any] = {
    "source": "feed",
    "log": {"queries": "log/queries-*.ndjson.gz", "events": "log/events-*.ndjson.gz"},
}
"""What `ingest` in params.yaml needs for such a shop."""


def _split(words: str) -> list[str]:
    return words.split()


_COLOURS = _split(
    "black white grey red blue green yellow pink brown beige navy teal purple orange olive"
)
_LOOKS = _split(
    "classic light soft slim wide long short warm large small vintage modern rustic plain striped "
    "dotted checked floral quilted folding padded woven matte glossy"
)
_USES = _split(
    "travel garden kitchen office winter summer running beach party school camping hiking cycling "
    "baby kids wall floor desk bed bath door car boat dog cat bird tea coffee wine bread salad "
    "night rain snow ski golf tennis yoga chess music photo video phone laptop tablet guitar piano "
    "paper pencil paint craft sewing knitting cotton wool leather denim linen silk glass steel"
)
_THINGS = _split(
    "shirt dress skirt jacket coat shoe boot sandal hat scarf glove sock belt bag wallet watch "
    "lamp chair table shelf sofa pillow blanket curtain carpet mirror clock vase bowl plate cup "
    "knife pan pot bottle box basket tray stand rack hook holder case cover cable charger speaker "
    "brush towel soap candle frame poster toy puzzle book tent mat ball helmet"
)
_DEPARTMENTS = ("Clothing", "Home", "Kitchen", "Sport", "Travel", "Leisure", "Office", "Pets")
_SYLLABLES = _split("ka lo mi ra ten dor vi sa nu bel fra go hu jen kor lin mar nel os pra")
_SHOWN = 10
_CLICKS = 0.33  # chance of a click on the first place; the n-th has it by n
_CART, _PURCHASE = 0.2, 0.35  # of a click, of an add to cart
_JUDGED = 300  # queries with grades, however large the shop
_MOST_GRADED = 60  # items of one
_DAY_SECONDS = 86_400
_PICTURE = (60, 80)  # width, height
_GRID = (4, 5)  # of the colours that a picture is interpolated from
_PER_FOLDER = 1000


@dataclass(frozen=True)
class Catalogue:
    """What the items are; items of one kind lie side by side. Numbers of words, [N] each."""

    kind: NDArray[np.int64]
    colour: NDArray[np.int64]
    look: NDArray[np.int64]
    brand: NDArray[np.int64]
    first: NDArray[np.int64]
    """First item of each kind, and N at the end."""

    def __len__(self) -> int:
        return len(self.kind)

    def noun(self, item: int) -> str:
        """Return what an item is, such as "garden chair"."""
        kind = int(self.kind[item])
        return f"{_USES[kind // len(_THINGS) % len(_USES)]} {_THINGS[kind % len(_THINGS)]}"

    def brand_of(self, item: int) -> str:
        """Return an item's brand."""
        return brand_name(int(self.brand[item]))


def brand_name(number: int) -> str:
    """Return a brand, another for every number."""
    parts = []
    while True:
        number, rest = divmod(number, len(_SYLLABLES))
        parts.append(_SYLLABLES[rest])
        if not number:
            return "".join([*parts, "vo"]).capitalize()


def make_catalogue(num_items: int, seed: int) -> Catalogue:
    """Return the items of a shop: about 500 of a kind, and of a brand."""
    rng = generator(seed, "scale", "catalogue")
    num_kinds = min(max(12, num_items // 500), len(_USES) * len(_THINGS))
    places = rng.permutation(len(_USES) * len(_THINGS))[:num_kinds]
    share = 1 / np.arange(1, num_kinds + 1) ** 0.3
    counts = np.bincount(rng.choice(num_kinds, num_items, p=share / share.sum()))
    counts = counts[counts > 0]
    return Catalogue(
        kind=np.repeat(places[: len(counts)], counts),
        colour=rng.integers(len(_COLOURS), size=num_items),
        look=rng.integers(len(_LOOKS), size=num_items),
        brand=(rng.random(num_items) ** 1.5 * max(12, num_items // 500)).astype(np.int64),
        first=np.concatenate([[0], np.cumsum(counts)]),
    )


def write_shop(folder: Path, num_items: int, seed: int, *, pictures: bool = True) -> None:
    """Write a shop; the same arguments give the same bytes."""
    items = make_catalogue(num_items, seed)
    write_feed(folder, items, pictures=pictures)
    if pictures:
        write_pictures(folder, range(num_items), seed)
    days = [LAST_DAY - timedelta(days=past) for past in reversed(range(DAYS))]
    counts = np.bincount(
        generator(seed, "scale", "days").integers(DAYS, size=int(SEARCHES_PER_ITEM * num_items)),
        minlength=DAYS,
    )
    for day, count in zip(days, counts.tolist(), strict=True):
        write_day(folder, items, day, count, seed)
    _write_judgements(folder, items, seed)


def change_shop(
    folder: Path,
    num_items: int,
    seed: int,
    *,
    pictures: bool = True,
    items: bool = True,
    day: bool = True,
) -> None:
    """Give every hundredth item another title and picture, and the log one more day.

    As in `write_further_day`.
    """
    shop = make_catalogue(num_items, seed)
    changed = range(0, num_items, 100)
    if items:
        write_feed(folder, shop, frozenset(changed), pictures=pictures)
    if items and pictures:
        write_pictures(folder, changed, seed + 1)
    if day:
        write_further_day(folder, shop, LAST_DAY + timedelta(days=1), seed)


def write_feed(
    folder: Path, items: Catalogue, changed: frozenset[int] = frozenset(), *, pictures: bool
) -> None:
    """Write products.csv; items in `changed` have a word more in their title."""
    folder.mkdir(parents=True, exist_ok=True)
    price = generator(0, "scale", "price").lognormal(3, 0.3, len(items)).tolist()
    with (folder / "products.csv").open("w", encoding="utf-8", newline="\n") as file:
        file.write("id,title,description,brand,product_type,item_group_id,price,availability,")
        file.write("image_link\n" if pictures else "mpn\n")
        for item in range(len(items)):
            noun, brand = items.noun(item), items.brand_of(item)
            look, colour = _LOOKS[items.look[item]], _COLOURS[items.colour[item]]
            title = title_of(items, item)
            new = " new" if item in changed else ""
            department = _DEPARTMENTS[items.kind[item] % len(_DEPARTMENTS)]
            link = _picture_of(item) if pictures else f"{brand[:3].upper()}{item}"
            file.write(
                f"{item_id(item)},{title}{new},"
                f"{look.capitalize()} {noun} in {colour} by {brand}. Ready to ship.,{brand},"
                f"{department} > {noun.capitalize()},,{price[item]:.2f} EUR,in_stock,{link}\n"
            )


def write_pictures(folder: Path, items: Iterable[int], seed: int) -> None:
    """Draw the pictures of items: colours that run into each other, none like another."""
    numbers = list(items)
    for place in sorted({item // _PER_FOLDER for item in numbers}):
        (folder / "images" / str(place)).mkdir(parents=True, exist_ok=True)
    blocks = [numbers[start : start + 4096] for start in range(0, len(numbers), 4096)]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda block: _draw(folder, block, seed), blocks):
            pass


def write_day(folder: Path, items: Catalogue, day: date, count: int, seed: int) -> None:
    """Write one day of the log in two files, searches and events."""
    (folder / "log").mkdir(parents=True, exist_ok=True)
    records = list(_searches(items, day, count, seed))
    for name, rows in (
        ("queries", (query for query, _ in records)),
        ("events", (event for _, events in records for event in events)),
    ):
        path = folder / "log" / f"{name}-{day}.ndjson.gz"
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as file:
            file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def write_further_day(folder: Path, items: Catalogue, day: date, seed: int) -> None:
    """Write a day that follows others: its first clicks are on searches of the day before.

    They are every hundredth engagement of that day once more, in the minutes after midnight.
    """
    write_day(folder, items, day, int(SEARCHES_PER_ITEM * len(items) / DAYS), seed)
    before, path = (
        folder / "log" / f"events-{when}.ndjson.gz" for when in (day - timedelta(days=1), day)
    )
    late = [json.loads(line) for line in gzip.decompress(before.read_bytes()).splitlines()[::100]]
    start = datetime.combine(day, datetime.min.time(), UTC)
    for second, row in enumerate(late):
        row["timestamp"] = (start + timedelta(seconds=second)).isoformat()
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in late)
    content = lines + gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content, 1, mtime=0))


def item_id(item: int) -> str:
    """Return an item's id."""
    return f"p{item:07d}"


def title_of(items: Catalogue, item: int) -> str:
    """Return an item's title."""
    look, colour = _LOOKS[items.look[item]], _COLOURS[items.colour[item]]
    return f"{items.brand_of(item)} {look} {colour} {items.noun(item)} {item % 977}"


def _picture_of(item: int) -> str:
    return f"images/{item // _PER_FOLDER}/{item_id(item)}.jpg"


def _draw(folder: Path, numbers: list[int], seed: int) -> None:
    for item in numbers:
        colours = np.random.default_rng([seed, item]).integers(256, size=(*_GRID, 3), dtype="uint8")
        image = Image.fromarray(colours).resize(_PICTURE, Image.Resampling.BICUBIC)
        content = BytesIO()
        image.save(content, "JPEG", quality=85)
        (folder / _picture_of(item)).write_bytes(content.getvalue())


def query_of(items: Catalogue, item: int, form: float) -> str:
    """Return what somebody types who wants an item; few forms are of the brand."""
    noun, colour = items.noun(item), _COLOURS[items.colour[item]]
    if form < 0.1:
        return noun
    if form < 0.4:
        return f"{colour} {noun}"
    if form < 0.6:
        return f"{_LOOKS[items.look[item]]} {colour} {noun}"
    if form < 0.8:
        return f"{items.brand_of(item)} {noun}".lower()
    return f"{items.brand_of(item)} {colour} {noun}".lower()


def _searches(
    items: Catalogue, day: date, count: int, seed: int
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield the searches of a day in the order of time, each with its events."""
    rng = generator(seed, "scale", "log", day)
    size = len(items)
    wanted = (rng.random(count) ** 1.3 * size).astype(np.int64)
    kind = np.searchsorted(items.first, wanted, side="right") - 1
    low, high = items.first[kind], items.first[kind + 1]
    shown = low[:, None] + (rng.random((count, _SHOWN)) * (high - low)[:, None]).astype(np.int64)
    shown[np.arange(count), (rng.random(count) ** 2 * _SHOWN).astype(np.int64)] = wanted
    clicked = rng.random((count, _SHOWN)) * np.arange(1, _SHOWN + 1) < _CLICKS
    clicked |= (shown == wanted[:, None]) & (rng.random((count, 1)) < 0.3)
    form, further = rng.random(count), rng.random((count, _SHOWN, 2))
    seconds = np.sort(rng.random(count)) * _DAY_SECONDS
    clients = rng.integers(max(20, size // 4), size=count)
    start = datetime.combine(day, datetime.min.time(), UTC)
    for row in range(count):
        names = list(dict.fromkeys(map(item_id, shown[row].tolist())))
        time = start + timedelta(seconds=int(seconds[row]))
        who = {"query_id": f"s{day:%m%d}{row:06d}", "client_id": f"c{clients[row]}"}
        query = who | {
            "application": "scale",
            "user_query": query_of(items, int(wanted[row]), form[row]),
            "timestamp": time.isoformat(),
            "query_response_hit_ids": names,
        }
        actions = [
            (name, place + 1, action)
            for place, name in enumerate(names)
            if clicked[row, place]
            for action in _actions(*further[row, place])
        ]
        yield (
            query,
            [
                who
                | {
                    "application": "scale",
                    "action_name": action,
                    "timestamp": (time + timedelta(seconds=20 + place)).isoformat(),
                    "event_attributes": {
                        "object": {"object_id": name, "object_id_field": "id"},
                        "position": {"ordinal": place},
                    },
                }
                for name, place, action in actions
            ],
        )


def _actions(cart: float, purchase: float) -> list[str]:
    if cart > _CART:
        return ["click"]
    return ["click", "add_to_cart", *(["purchase"] if purchase < _PURCHASE else [])]


def _write_judgements(folder: Path, items: Catalogue, seed: int) -> None:
    """Write test queries: all of a kind that have the colour are right, the others nearly."""
    rng = generator(seed, "scale", "judged")
    chosen = rng.permutation(len(items))[: 2 * _JUDGED]
    texts: dict[str, int] = {}
    for item in chosen.tolist():
        texts.setdefault(query_of(items, item, 0.2), item)
    queries, labels = [], []
    for number, (text, item) in enumerate(list(texts.items())[:_JUDGED]):
        queries.append(f"t{number}\t{text}\n")
        kind = int(np.searchsorted(items.first, item, side="right")) - 1
        rows = np.arange(items.first[kind], items.first[kind + 1])
        right = items.colour[rows] == items.colour[item]
        best = np.concatenate([rows[right], rows[~right]])[:_MOST_GRADED]
        labels += [
            f"t{number} 0 {item_id(row)} {1 + (items.colour[row] == items.colour[item])}\n"
            for row in best.tolist()
        ]
    (folder / "test_queries.tsv").write_text("".join(queries), encoding="utf-8")
    (folder / "test_qrels.txt").write_text("".join(labels), encoding="utf-8")
