"""Damage to queries."""

import pandas as pd

from smar.data.schema import LOGGED

from .shop import QUARANTINE, STOP, WARN, Apply, Damage, DamagedShop, put, replace_all


def lonely_query(shop: DamagedShop) -> list[int]:
    searches, queries = shop.frames["searches"], shop.frames["queries"]
    once = ~searches["query_id"].duplicated(keep=False)
    idle = ~searches["search_id"].isin(shop.frames["engagements"]["search_id"])
    row = shop.take("searches", 1, once & idle)[0]
    searches.loc[row, "timestamp"] = pd.Timestamp("1970-01-01", tz="UTC")
    return list(queries.index[queries["query_id"] == searches.loc[row, "query_id"]])


def logged(shop: DamagedShop) -> pd.Series:
    return shop.frames["queries"]["split"].isin(LOGGED)


def put_query(value: str) -> Apply:
    return lambda shop: shop.set("queries", "query", [value], where=logged(shop))


def shout(shop: DamagedShop) -> list[int]:
    rows = shop.take("queries", 1, logged(shop))
    shop.frames["queries"].loc[rows, "query"] = (
        shop.frames["queries"].loc[rows, "query"].str.upper()
    )
    return rows


def query_in_both(shop: DamagedShop) -> list[int]:
    rows = shop.take("queries", 1, shop.frames["queries"]["split"] == "train")
    twin = shop.frames["queries"].loc[rows].assign(query_id="log-twin", split="validation")
    return shop.append("queries", twin)


def leak(shop: DamagedShop) -> list[int]:
    queries = shop.frames["queries"]
    text = queries.loc[queries["split"] == "test", "query"].iloc[-1]
    turned = " ".join(reversed(f"{text}s".split()))
    row = {"query_id": "log-leak", "query": turned, "split": "validation", "num_searches": 0}
    return shop.append("queries", pd.DataFrame([row]))


def query_id_twice(shop: DamagedShop) -> list[int]:
    queries = shop.frames["queries"]
    rows = shop.take("queries", 1, queries["split"] == "test")
    return shop.append("queries", queries.loc[rows])


def russian(texts: pd.Series) -> list[str]:
    return [f"\u043f\u043b\u0430\u0442\u044c\u0435 {n}" for n in range(len(texts))]


QUERIES = [
    Damage(
        "query_id_repeated",
        "a query id twice",
        "queries.id_unique",
        STOP,
        "queries.query_id: expected each id once",
        "stops",
        query_id_twice,
    ),
    Damage(
        "split_unknown",
        "a split nobody knows",
        "queries.split_known",
        STOP,
        "one of train, validation, apart, trial, test",
        "stops",
        put("queries", "split", "dev"),
    ),
    Damage(
        "query_in_two_splits",
        "a text in training and validation",
        "queries.split_apart",
        STOP,
        "none in two splits",
        "stops",
        query_in_both,
    ),
    Damage(
        "query_leaks",
        "a test query among the validation queries, in other words of its stems",
        "queries.no_leak",
        STOP,
        "with the stems of one that is trained on",
        "stops",
        leak,
        also=("queries.searches_agree",),
    ),
    Damage(
        "count_wrong",
        "a count that its searches do not give",
        "queries.searches_agree",
        STOP,
        "the number of its searches in the search table",
        "stops",
        put("queries", "num_searches", 77),
    ),
    Damage(
        "query_id_empty",
        "a query without an id",
        "queries.id_given",
        STOP,
        "queries.query_id: expected an id",
        "stops",
        put("queries", "query_id", ""),
        also=("queries.searches_agree",),
    ),
    Damage(
        "query_empty",
        "a query without text",
        "queries.text_given",
        QUARANTINE,
        "queries.query: expected a text",
        "queries",
        put_query(""),
    ),
    Damage(
        "query_endless",
        "a page pasted into the search box",
        "queries.text_length",
        QUARANTINE,
        "at most 200 characters",
        "queries",
        put_query("word " * 60 + "end"),
    ),
    Damage(
        "query_misread",
        "a query with broken characters",
        "queries.text_readable",
        QUARANTINE,
        "text without broken characters",
        "queries",
        put_query("caf\ufffd chair"),
    ),
    Damage(
        "query_attack",
        "a script typed as query",
        "queries.text_plain",
        QUARANTINE,
        "text without HTML and addresses",
        "queries",
        put_query("<script>alert(1)</script>"),
    ),
    Damage(
        "query_raw",
        "a query that nobody normalised",
        "queries.text_normal",
        QUARANTINE,
        "normalised text",
        "queries",
        shout,
    ),
    Damage(
        "queries_foreign",
        "queries of another country",
        "queries.one_script",
        WARN,
        "one script for 80% of the queries",
        "shares-1",
        replace_all("queries", "query", russian, 0.4),
        also=("queries.searches_agree", "queries.split_apart"),
    ),
    Damage(
        "query_of_lost_searches",
        "a query whose only search is left out",
        "queries.still_searched",
        QUARANTINE,
        "a search that was accepted, if it ever had one",
        "lonely",
        lonely_query,
        also=("searches.time_near",),
    ),
]
