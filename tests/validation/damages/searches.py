"""Damage to searches."""

import numpy as np
import pandas as pd

from smar.data.schema import LOGGED

from .shop import QUARANTINE, WARN, Apply, Damage, DamagedShop, replace_all, setting


def unknown_query(shop: DamagedShop) -> list[int]:
    rows = shop.take("searches", 1, shop.quiet())
    shop.frames["searches"].loc[rows, "query_id"] = "log-nothing"
    shop.count()
    return rows


def repeated_search_id(shop: DamagedShop) -> list[int]:
    first, second = shop.take("searches", 2, shop.quiet())
    first, second = sorted((first, second))
    searches = shop.frames["searches"]
    searches.loc[second, "search_id"] = searches.loc[first, "search_id"]
    return [second]


def search_at(time: str) -> Apply:
    def apply(shop: DamagedShop) -> list[int]:
        rows = shop.take("searches", 1, shop.quiet())
        shop.frames["searches"].loc[rows, "timestamp"] = pd.Timestamp(time, tz="UTC")
        return rows

    return apply


def bot(shop: DamagedShop) -> list[int]:
    rows = shop.take("searches", 1, shop.quiet())
    many = shop.frames["searches"].loc[rows * 60].reset_index(drop=True)
    day = many["timestamp"].dt.floor("D")
    many["timestamp"] = day + pd.to_timedelta(np.arange(60) * 60, unit="s")
    many["search_id"] = [f"bot{number}" for number in range(60)]
    shop.settings["log.max_searches_per_client_day"] = 50
    return shop.append("searches", many.assign(client_id="bot"))


def search_logged_twice(shop: DamagedShop) -> list[int]:
    rows = shop.take("searches", 1, shop.quiet())
    return shop.append("searches", shop.frames["searches"].loc[rows].assign(search_id="again"))


def drop_day(shop: DamagedShop) -> None:
    searches = shop.frames["searches"]
    keep = searches["timestamp"].dt.day != 12
    gone = searches.loc[~keep, "search_id"]
    shop.frames["searches"] = searches[keep].reset_index(drop=True)
    events = shop.frames["engagements"]
    shop.frames["engagements"] = events[~events["search_id"].isin(gone)].reset_index(drop=True)
    shop.count()
    lost = (shop.frames["queries"]["num_searches"] == 0) & (
        shop.frames["queries"]["split"].isin(LOGGED)
    )
    shop.frames["queries"] = shop.frames["queries"][~lost].reset_index(drop=True)


def loud_day(shop: DamagedShop) -> None:
    searches = shop.frames["searches"]
    many = searches.loc[np.arange(600) % len(searches)].reset_index(drop=True)
    seconds = pd.to_timedelta(np.arange(600) * 100, unit="s")
    many["timestamp"] = pd.Timestamp("2026-09-15", tz="UTC") + seconds
    many["search_id"] = [f"loud{number}" for number in range(600)]
    shop.append("searches", many)


def show_nothing(shop: DamagedShop) -> None:
    empty = [np.array([], object)] * 600
    shop.frames["searches"].loc[:599, "shown"] = pd.Series(empty, index=range(600))


def show_unknown(shop: DamagedShop) -> None:
    searches = shop.frames["searches"]
    shop.frames["searches"]["shown"] = [[f"old-{i}" for i in ids] for ids in searches["shown"]]


def show_much(shop: DamagedShop) -> list[int]:
    rows = shop.take("searches", 1, shop.quiet())
    shop.frames["searches"].at[rows[0], "shown"] = list(shop.frames["items"]["item_id"][:8]) * 200
    return rows


SEARCHES = [
    Damage(
        "search_id_empty",
        "a search without an id",
        "searches.id_given",
        QUARANTINE,
        "searches.search_id: expected an id",
        "rows",
        lambda shop: shop.set("searches", "search_id", [" "], where=shop.quiet()),
    ),
    Damage(
        "search_id_repeated",
        "two searches with one id",
        "searches.id_unique",
        QUARANTINE,
        "searches.search_id: expected each id once",
        "rows",
        repeated_search_id,
    ),
    Damage(
        "search_of_unknown_query",
        "a search for a query that is nowhere",
        "searches.query_known",
        QUARANTINE,
        "a query of the accepted query table",
        "rows",
        unknown_query,
    ),
    Damage(
        "search_in_1970",
        "a clock that was never set",
        "searches.time_near",
        QUARANTINE,
        "at most 730 days from the middle of the log",
        "rows",
        search_at("1970-01-01"),
    ),
    Damage(
        "search_in_2099",
        "a clock that runs ahead",
        "searches.time_near",
        QUARANTINE,
        "2099-01-01",
        "future",
        search_at("2099-01-01"),
    ),
    Damage(
        "bot_searches",
        "one client with an absurd number of searches",
        "searches.not_a_bot",
        QUARANTINE,
        "a client with at most 50 searches on the day",
        "rows",
        bot,
    ),
    Damage(
        "search_logged_twice",
        "a search delivered twice under two ids",
        "searches.logged_once",
        QUARANTINE,
        "no second search of the client",
        "rows",
        search_logged_twice,
    ),
    Damage(
        "shown_endless",
        "a result list of the whole shop",
        "searches.shown_length",
        WARN,
        "at most 1000 items shown",
        "rows",
        show_much,
    ),
    Damage(
        "shown_foreign",
        "results of another catalogue",
        "searches.shown_known",
        WARN,
        "items of the item table for 50%",
        "shares-1",
        show_unknown,
        also=("engagements.position_agrees",),
    ),
    Damage(
        "results_missing",
        "most searches find nothing",
        "searches.with_results",
        WARN,
        "no result for at most 50%",
        "shares-3",
        show_nothing,
    ),
    Damage(
        "log_stale",
        "a log that ended long ago",
        "searches.fresh",
        WARN,
        "at most 7 days before 2027-01-01",
        "shares-1",
        setting("log.as_of", "2027-01-01"),
    ),
    Damage(
        "log_ahead",
        "a log newer than the day it was read",
        "searches.fresh",
        WARN,
        "and not after it; saw -",
        "shares-2",
        setting("log.as_of", "2026-09-10"),
    ),
    Damage(
        "day_missing",
        "a day without searches",
        "searches.no_gap",
        WARN,
        "2026-09-12: 0",
        "shares-2",
        drop_day,
    ),
    Damage(
        "day_too_loud",
        "a day loaded over and over",
        "searches.no_peak",
        WARN,
        "at most 10 times the searches of a usual day",
        "shares-3",
        loud_day,
    ),
    Damage(
        "clients_lost",
        "client ids get lost",
        "searches.clients_told",
        WARN,
        "a client for 50% of the searches",
        "shares-1",
        replace_all("searches", "client_id", lambda s: "", 0.8),
    ),
]
