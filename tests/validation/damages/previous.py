"""Damage to columns, and to tables compared with those of before."""

import numpy as np
import pandas as pd
import pyarrow as pa

from .shop import STOP, WARN, Apply, Damage, DamagedShop, put, replace_all


def german(texts: pd.Series) -> list[str]:
    return [f"Das ist {text.split()[0]}, und es ist mit der Post bei dir." for text in texts]


def more_searches(shop: DamagedShop) -> None:
    searches = shop.frames["searches"]
    parts = [
        searches.assign(
            search_id=f"x{number}" + searches["search_id"],
            client_id=f"x{number}" + searches["client_id"],
            timestamp=searches["timestamp"] + pd.Timedelta(seconds=number),
        )
        for number in range(1, 4)
    ]
    shop.append("searches", pd.concat(parts))


def lose_engagements(share: float) -> Apply:
    def apply(shop: DamagedShop) -> None:
        events = shop.frames["engagements"]
        keep = np.arange(len(events)) % 100 >= 100 * share
        shop.frames["engagements"] = events[keep].reset_index(drop=True)

    return apply


def lose_column(shop: DamagedShop) -> None:
    del shop.frames["items"]["brand"]
    shop.schemas["items"] = shop.schemas["items"].remove(
        shop.schemas["items"].get_field_index("brand")
    )


def text_grades(shop: DamagedShop) -> None:
    shop.frames["judgements"]["grade"] = shop.frames["judgements"]["grade"].astype(str)
    place = shop.schemas["judgements"].get_field_index("grade")
    shop.schemas["judgements"] = shop.schemas["judgements"].set(
        place, pa.field("grade", pa.string())
    )


def extra_column(shop: DamagedShop) -> None:
    shop.frames["searches"]["session"] = "x"
    shop.schemas["searches"] = shop.schemas["searches"].append(pa.field("session", pa.string()))


def lose_values(shop: DamagedShop) -> None:
    shop.frames["queries"].loc[3, "split"] = None
    fields = [field.with_nullable(True) for field in shop.schemas["queries"]]
    shop.schemas["queries"] = pa.schema(fields)


def renumber(shop: DamagedShop) -> None:
    for table in ("items", "engagements", "judgements"):
        shop.frames[table]["item_id"] = "new-" + shop.frames[table]["item_id"]
    shown = shop.frames["searches"]["shown"]
    shop.frames["searches"]["shown"] = [[f"new-{item}" for item in ids] for ids in shown]


def reworded(titles: pd.Series) -> list[str]:
    return [f"unheardof word{'abcdefghij'[len(title) % 10]}" for title in titles]


PREVIOUS = [
    Damage(
        "column_missing",
        "a column that went missing",
        "items.columns",
        STOP,
        "brand: no such column, expected string",
        "columns",
        lose_column,
    ),
    Damage(
        "column_retyped",
        "grades as text",
        "judgements.columns",
        STOP,
        "grade: string, expected int64",
        "columns",
        text_grades,
    ),
    Damage(
        "column_new",
        "a column nobody declared",
        "searches.columns",
        STOP,
        "session: string, expected none",
        "columns",
        extra_column,
    ),
    Damage(
        "value_missing",
        "a null where a value is required",
        "queries.values_required",
        STOP,
        "a value in every row where the schema requires one",
        "columns",
        lose_values,
    ),
    Damage(
        "log_shrunk",
        "a third of the log is gone",
        "previous.rows_kept",
        STOP,
        "engagements: 1005 before",
        "previous-1",
        lose_engagements(0.6),
    ),
    Damage(
        "log_grown",
        "four times the searches of before",
        "previous.rows_grown",
        WARN,
        "at most 3 times the rows of before",
        "previous-2",
        more_searches,
        also=("previous.click_through_level",),
    ),
    Damage(
        "brands_lost",
        "half of the items lose their brand",
        "previous.values_given",
        STOP,
        "brand: 0.0% before, 58",
        "previous-1",
        replace_all("items", "brand", lambda s: "", 0.5),
    ),
    Damage(
        "category_new",
        "a category that there was not before",
        "previous.category_known",
        WARN,
        "Toys > Blocks: 1 items",
        "news",
        put("items", "category", "Toys > Blocks"),
    ),
    Damage(
        "categories_renamed",
        "half of the categories renamed",
        "previous.categories_kept",
        STOP,
        "in categories that there were not before; saw 0.5",
        "previous-1",
        replace_all("items", "category", lambda s: "New " + s, 0.5),
        also=("previous.category_known",),
    ),
    Damage(
        "ids_renumbered",
        "all items under new ids",
        "previous.items_kept",
        STOP,
        "30% of the item ids of before or more; saw 0",
        "previous-2",
        renumber,
    ),
    Damage(
        "prices_tripled",
        "prices in another currency, told as before",
        "previous.price_level",
        STOP,
        "within 2 times that of before; saw 3",
        "previous-1",
        replace_all("items", "price", lambda s: s * 3),
    ),
    Damage(
        "language_switched",
        "descriptions in another language",
        "previous.language_mix",
        STOP,
        "a mix of languages of which at most 25% moved",
        "previous-1",
        replace_all("items", "description", german, 0.6),
    ),
    Damage(
        "titles_reworded",
        "titles with words nobody used before",
        "previous.words_known",
        WARN,
        "more words in titles that were not frequent before",
        "previous-2",
        replace_all("items", "title", reworded, 0.6),
    ),
    Damage(
        "click_through_fell",
        "engagement falls to less than half",
        "previous.click_through_level",
        WARN,
        "within 2 times that of before; saw 0.",
        "previous-1",
        lambda shop: None,
    ),
]
