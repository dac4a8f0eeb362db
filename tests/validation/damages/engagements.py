"""Damage to engagements."""

import numpy as np
import pandas as pd

from .shop import QUARANTINE, STOP, WARN, Apply, Damage, DamagedShop, put, replace_all


def shift_position(shop: DamagedShop) -> list[int]:
    rows = shop.take("engagements", 3, shop.frames["engagements"]["position"] < 19)
    shop.frames["engagements"].loc[rows, "position"] += 1
    return rows


def move_engagement(days: float) -> Apply:
    def apply(shop: DamagedShop) -> list[int]:
        rows = shop.take("engagements")
        shop.frames["engagements"].loc[rows, "timestamp"] += pd.Timedelta(days=days)
        return rows

    return apply


def engagement_twice(shop: DamagedShop) -> list[int]:
    rows = shop.take("engagements")
    return shop.append("engagements", shop.frames["engagements"].loc[rows])


def click_spam(shop: DamagedShop) -> list[int]:
    row = shop.take("searches", 1, shop.quiet())[0]
    search = shop.frames["searches"].loc[row]
    times = search["timestamp"] + pd.to_timedelta(np.arange(60), unit="s")
    item = shop.frames["items"].loc[shop.take("items")[0], "item_id"]
    shop.settings["log.max_engagements_per_search"] = 50
    clicks = {"search_id": search["search_id"], "query_id": search["query_id"], "item_id": item}
    return shop.append(
        "engagements",
        pd.DataFrame(clicks | {"action": "click", "position": None, "timestamp": times}),
    )


def lose_engagements(share: float) -> Apply:
    def apply(shop: DamagedShop) -> None:
        events = shop.frames["engagements"]
        keep = np.arange(len(events)) % 100 >= 100 * share
        shop.frames["engagements"] = events[keep].reset_index(drop=True)

    return apply


def click_first_always(shop: DamagedShop) -> None:
    searches = shop.frames["searches"]
    shop.frames["engagements"] = pd.DataFrame(
        {
            "search_id": searches["search_id"],
            "query_id": searches["query_id"],
            "item_id": searches["shown"].str[0],
            "action": "click",
            "position": 1,
            "timestamp": searches["timestamp"],
        }
    )


def turn_positions(shop: DamagedShop) -> None:
    shop.frames["engagements"]["position"] = 21 - shop.frames["engagements"]["position"]


ENGAGEMENTS = [
    Damage(
        "engagement_without_search",
        "a click on a search that is nowhere",
        "engagements.search_known",
        QUARANTINE,
        "a search of the accepted search table",
        "links",
        put("engagements", "search_id", "nowhere"),
    ),
    Damage(
        "engagement_names_no_item",
        "a click that names no item",
        "engagements.item_given",
        QUARANTINE,
        "engagements.item_id: expected an item's id",
        "links",
        put("engagements", "item_id", ""),
        also=("engagements.item_known", "engagements.position_agrees"),
    ),
    Damage(
        "engagement_without_item",
        "a click on an item that is nowhere",
        "engagements.item_known",
        QUARANTINE,
        "an item of the accepted item table",
        "links",
        put("engagements", "item_id", "nothing"),
        also=("engagements.position_agrees",),
    ),
    Damage(
        "engagement_of_other_query",
        "a click booked to another query",
        "engagements.query_agrees",
        QUARANTINE,
        "the query of its search",
        "rows",
        put("engagements", "query_id", "log-other"),
    ),
    Damage(
        "action_unknown",
        "an action nobody knows",
        "engagements.action_known",
        QUARANTINE,
        "one of click, add_to_cart, purchase",
        "rows",
        put("engagements", "action", "stare"),
    ),
    Damage(
        "position_zero",
        "positions counted from nothing",
        "engagements.position_range",
        QUARANTINE,
        "a position from 1 to 1000",
        "rows",
        put("engagements", "position", 0, -1, 5000),
    ),
    Damage(
        "position_shifted",
        "positions that are off by one",
        "engagements.position_agrees",
        WARN,
        "the item that was shown at the position",
        "shift",
        shift_position,
    ),
    Damage(
        "engaged_too_early",
        "a click two days before its search",
        "engagements.time_near",
        QUARANTINE,
        "at most 1 day before",
        "early",
        move_engagement(-2),
    ),
    Damage(
        "engaged_too_late",
        "a purchase months after its search",
        "engagements.time_near",
        QUARANTINE,
        "30 days after its search",
        "rows",
        move_engagement(90),
    ),
    Damage(
        "engagement_twice",
        "a click delivered twice",
        "engagements.logged_once",
        QUARANTINE,
        "no second row of the search, item, action and time",
        "rows",
        engagement_twice,
    ),
    Damage(
        "click_spam",
        "a script that clicks all day",
        "engagements.not_a_bot",
        QUARANTINE,
        "a search with at most 50 engagements",
        "rows",
        click_spam,
    ),
    Damage(
        "events_lost",
        "the event log is empty",
        "engagements.click_through",
        STOP,
        "an engagement after 0.10% of the searches or more; saw 0",
        "shares-2",
        lose_engagements(1.0),
    ),
    Damage(
        "all_clicked",
        "a click after every search",
        "engagements.click_through_most",
        WARN,
        "a click for at most 98%",
        "clicks",
        click_first_always,
    ),
    Damage(
        "first_place_clicked",
        "the first place clicked every time",
        "engagements.place_click_through",
        WARN,
        "a click in at most 90%",
        "clicks",
        lambda shop: None,
    ),
    Damage(
        "positions_turned",
        "positions counted from the end",
        "engagements.top_clicked_most",
        WARN,
        "more clicks per search on places 1 to 3",
        "shares-1",
        turn_positions,
    ),
    Damage(
        "purchases_only",
        "most clicks get lost, purchases do not",
        "engagements.purchases_after_clicks",
        WARN,
        "no more purchases than clicks",
        "shares-4",
        replace_all("engagements", "action", lambda s: "purchase", 0.7),
    ),
]
