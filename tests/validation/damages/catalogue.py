"""Damage to the items as a whole."""

from .shop import STOP, WARN, Damage, DamagedShop, both, replace_all, setting

CYRILLIC = "\u043a\u0440\u0430\u0441\u043d\u044b\u0439 "


def catalogue_twice(shop: DamagedShop) -> None:
    items = shop.frames["items"]
    shop.append("items", items.assign(item_id="copy-" + items["item_id"]))


CATALOGUE = [
    Damage(
        "pictures_lost",
        "most items lose their pictures",
        "items.picture_coverage",
        STOP,
        "a picture for 90% of the items or more; saw",
        "shares-1",
        both(
            setting("items.min_picture_coverage", 0.9),
            replace_all("items", "image_ids", lambda s: [[] for _ in s], 0.6),
        ),
    ),
    Damage(
        "categories_lost",
        "most items lose their category",
        "items.category_coverage",
        WARN,
        "a category for 50%",
        "shares-1",
        replace_all("items", "category", lambda s: "", 0.7),
    ),
    Damage(
        "prices_lost",
        "most items lose their price",
        "items.price_coverage",
        WARN,
        "a price for 90%",
        "shares-1",
        both(
            setting("items.min_price_coverage", 0.9),
            replace_all("items", "price", lambda s: None, 0.6),
        ),
        also=("items.no_copies",),
    ),
    Damage(
        "currencies_mixed",
        "prices of another country mixed in",
        "items.one_currency",
        WARN,
        "one currency for 95%",
        "shares-2",
        replace_all("items", "currency", lambda s: "USD", 0.3),
    ),
    Damage(
        "scripts_mixed",
        "titles of another country mixed in",
        "items.one_script",
        WARN,
        "one script for 90%",
        "shares-1",
        replace_all("items", "title", lambda s: CYRILLIC + s.str[0], 0.3),
    ),
    Damage(
        "titles_alike",
        "the brand in place of the title",
        "items.distinct_titles",
        WARN,
        "distinct titles for 20%",
        "shares-2",
        replace_all("items", "title", lambda s: s.str.split().str[0], 1.0),
    ),
    Damage(
        "catalogue_twice",
        "the catalogue twice, with new ids",
        "items.no_copies",
        WARN,
        "at most 5% of the items equal to another",
        "shares-3",
        catalogue_twice,
    ),
    Damage(
        "items_few",
        "an almost empty feed",
        "items.rows",
        STOP,
        "at least 1000 rows; saw 240",
        "shares-2",
        setting("items.min_rows", 1000),
    ),
    Damage(
        "items_mostly_bad",
        "a tenth of the items is bad",
        "items.quarantined",
        STOP,
        "at most 5% of the rows quarantined; saw 0.1",
        "shares-4",
        replace_all("items", "price", lambda s: -s, 0.1),
        also=("items.price_range", "engagements.quarantined", "judgements.quarantined"),
    ),
]
