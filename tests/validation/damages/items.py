"""Damage to items."""

import numpy as np

from .shop import QUARANTINE, STOP, WARN, Damage, DamagedShop, put


def repeat_item(shop: DamagedShop) -> list[int]:
    rows = shop.take("items")
    return shop.append("items", shop.frames["items"].loc[rows].assign(title="Something else"))


def price_in_cents(shop: DamagedShop) -> list[int]:
    items = shop.frames["items"]
    highest = items["price"] == items.groupby("category")["price"].transform("max")
    several = items.groupby("category")["price"].transform("size") > 3
    rows = shop.take("items", 1, highest & several)
    items.loc[rows, "price"] *= 100
    return rows


def one_group(shop: DamagedShop) -> list[int]:
    rows = shop.take("items", 60, shop.frames["items"]["image_ids"].str.len() > 0)
    shop.frames["items"].loc[rows, "group_id"] = "g"
    shop.settings["items.max_items_per_group"] = 50
    return rows


def main_picture(shop: DamagedShop, count: int) -> tuple[list[int], list[int]]:
    """Return items, each the only one with its main picture, and those pictures."""
    lists = shop.frames["items"]["image_ids"]
    main = lists.map(lambda ids: int(ids[0]) if len(ids) else -1)
    rows = shop.take("items", count, (main >= 0) & ~main.duplicated(keep=False))
    return rows, list(main[rows])


def blank_picture(shop: DamagedShop) -> list[int]:
    rows, pictures = main_picture(shop, 1)
    shop.pixels[pictures] = 255
    return rows


def placeholder_picture(shop: DamagedShop) -> list[int]:
    rows, pictures = main_picture(shop, 12)
    noise = np.random.default_rng(0).integers(-2, 3, (12, *shop.pixels.shape[1:]))
    same = shop.pixels[pictures[0]].astype(int) + noise
    shop.pixels[pictures] = np.clip(same, 0, 255).astype(np.uint8)
    shop.settings["items.max_items_per_picture"] = 10
    return rows


ITEMS = [
    Damage(
        "item_id_empty",
        "an item without an id",
        "items.id_given",
        QUARANTINE,
        "items.item_id: expected an id",
        "rows",
        put("items", "item_id", " "),
    ),
    Damage(
        "item_id_repeated",
        "a second item with the id of another",
        "items.id_unique",
        QUARANTINE,
        "items.item_id: expected each id once",
        "rows",
        repeat_item,
    ),
    Damage(
        "title_empty",
        "items without a title",
        "items.title_given",
        QUARANTINE,
        "items.title: expected a title",
        "rows",
        put("items", "title", "", "  "),
    ),
    Damage(
        "title_endless",
        "a page of text as title",
        "items.title_length",
        QUARANTINE,
        "expected at most 500 characters",
        "rows",
        put("items", "title", "word " * 200),
    ),
    Damage(
        "title_misread",
        "UTF-8 read as Latin-1",
        "items.title_readable",
        QUARANTINE,
        "text without broken characters",
        "rows",
        put("items", "title", "Caf\u00c3\u00a9 chair", "Caf\ufffd chair", "chair \x07"),
    ),
    Damage(
        "title_markup",
        "HTML in titles",
        "items.title_plain",
        WARN,
        "text without HTML",
        "rows",
        put("items", "title", "<b>Red</b> chair", "Tom &amp; Co chair"),
    ),
    Damage(
        "description_endless",
        "a book as description",
        "items.description_length",
        WARN,
        "at most 20000 characters",
        "rows",
        put("items", "description", "x" * 20_001),
    ),
    Damage(
        "attributes_formless",
        "attributes as free text",
        "items.attributes_form",
        WARN,
        "'name: value; name: value'",
        "rows",
        put("items", "attributes", "red, large"),
    ),
    Damage(
        "category_broken",
        "levels parted by another sign",
        "items.category_form",
        WARN,
        "levels parted by ' > '",
        "rows",
        put("items", "category", "Shoes>Boots", "Shoes > "),
        also=("previous.category_known",),
    ),
    Damage(
        "category_foreign",
        "a category outside the shop's list",
        "items.category_vocabulary",
        QUARANTINE,
        "a top-level category out of",
        "rows",
        put("items", "category", "Weapons > Swords"),
    ),
    Damage(
        "price_negative",
        "negative prices",
        "items.price_range",
        QUARANTINE,
        "a price from 0.01 to 10,000,000",
        "prices",
        put("items", "price", -3.0, -0.01),
    ),
    Damage(
        "price_zero",
        "a price of nothing",
        "items.price_range",
        QUARANTINE,
        "a price from 0.01",
        "prices-zero",
        put("items", "price", 0.0),
    ),
    Damage(
        "price_absurd",
        "a price with six digits too many",
        "items.price_range",
        QUARANTINE,
        "1e+09",
        "rows",
        put("items", "price", 1e9),
        also=("items.price_typical",),
    ),
    Damage(
        "price_in_cents",
        "a price in cents",
        "items.price_typical",
        WARN,
        "within 50 times the median of its category",
        "prices",
        price_in_cents,
    ),
    Damage(
        "currency_word",
        "a currency in words",
        "items.price_currency",
        WARN,
        "a currency of three capitals",
        "rows",
        put("items", "currency", "euros"),
    ),
    Damage(
        "group_of_all",
        "one group id for unlike items",
        "items.group_size",
        WARN,
        "at most 50 items in a group",
        "pictures",
        one_group,
    ),
    Damage(
        "picture_unknown",
        "a picture that was never packed",
        "items.picture_known",
        STOP,
        "pictures that the store has",
        "stops",
        put("items", "image_ids", [99_999]),
    ),
    Damage(
        "picture_blank",
        "a picture of one colour",
        "items.picture_blank",
        WARN,
        "a main picture that shows something",
        "pictures",
        blank_picture,
    ),
    Damage(
        "picture_placeholder",
        "one placeholder, saved anew for each of many items",
        "items.picture_own",
        WARN,
        "at most 10 items share",
        "pictures",
        placeholder_picture,
    ),
]
