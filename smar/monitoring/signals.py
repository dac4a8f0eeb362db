"""What moved between two snapshots, how much, and how sure that is.

A signal is an alarm only if the change is both large (beyond a threshold of params.yaml) and real
(its p value survives Bonferroni's correction over all signals): a large log makes every small
change significant, a small one makes large changes by chance.

Shapes: n rows, D embedding length.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from smar.monitoring.snapshot import Snapshot
from smar.monitoring.statistics import (
    FOLDS,
    categories,
    category_test,
    domain_auc,
    mean,
    number_test,
    numbers,
    welch,
)

REFRESH, RETRAIN = "refresh", "retrain"


@dataclass(frozen=True)
class Signal:
    """One thing that may have moved.

    Args:
        name: Its name, `group.what`.
        text: What it is, for people.
        action: What an alarm asks for: "refresh" (index the catalogue again with the same model) or
            "retrain".
        statistic: How the change is measured.
        value: The change.
        p_value: Chance of such a change without drift; NaN for plain facts.
        before: The reference, in words.
        now: Today, in words.
        rows: The smaller of the two samples.
    """

    name: str
    text: str
    action: str
    statistic: str
    value: float
    p_value: float
    before: str
    now: str
    rows: int


def column_signals(
    frames: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    distances: Mapping[tuple[str, str], float],
) -> list[Signal]:
    """Return the signals of single columns; a column without a score has nothing to compare.

    Args:
        frames: As from `frames.column_frames`.
        distances: Evidently's drift score by (group, column).
    """
    signals = []
    for group, column, text, action in (
        ("items", "category", "what is on sale, by category", REFRESH),
        ("items", "price", "prices (logarithm)", REFRESH),
        ("items", "title_words", "length of titles", RETRAIN),
        ("queries", "query_words", "length of queries", RETRAIN),
        ("queries", "asked", "categories asked for", RETRAIN),
        ("queries", "gate", "how much the gate sends to pictures", RETRAIN),
    ):
        if (group, column) not in distances:
            continue
        before, now = (frame[column].dropna() for frame in frames[group])
        is_number = pd.api.types.is_numeric_dtype(before.dtype)
        signals.append(
            Signal(
                name=f"{group}.{column}",
                text=text,
                action=action,
                statistic="Wasserstein / std" if is_number else "Jensen-Shannon",
                value=distances[group, column],
                p_value=number_test(before, now) if is_number else category_test(before, now),
                before=numbers(before) if is_number else categories(before, now),
                now=numbers(now) if is_number else categories(now, before),
                rows=min(len(before), len(now)),
            )
        )
    return signals


def share_signals(
    frames: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
) -> list[Signal]:
    """Return the signals that are changes of a share, in the direction that hurts."""
    signals = []
    for group, column, text, action in (
        ("items", "new_category", "items in categories that were not there", RETRAIN),
        ("items", "unknown_words", "words of titles that were not there", RETRAIN),
        ("items", "no_picture", "items without a picture", REFRESH),
        ("queries", "unknown_words", "words of queries that no item or query had", RETRAIN),
        ("queries", "zero_results", "searches that showed nothing", REFRESH),
        ("queries", "zero_clicks", "searches without a click", RETRAIN),
    ):
        before, now = (frame[column].to_numpy(float) for frame in frames[group])
        gap = mean(now) - mean(before)
        signals.append(
            Signal(
                name=f"{group}.{column}",
                text=text,
                action=action,
                statistic="rise of the share",
                value=gap,
                p_value=welch(now, before),
                before=f"{mean(before):.1%}",
                now=f"{mean(now):.1%}",
                rows=min(len(before), len(now)),
            )
        )
    return signals


def click_signal(reference: Snapshot, current: Snapshot) -> Signal:
    """Return the change of click-through, positions weighted as they were shown before.

    With the weights fixed, a longer result list alone changes nothing.
    """
    both = reference.clicks.merge(current.clicks, on="position", suffixes=("_before", "_now"))
    both = both[(both["shown_before"] > 0) & (both["shown_now"] > 0)]
    weight = (both["shown_before"] / max(1, both["shown_before"].sum())).to_numpy()
    rates = {
        side: (both[f"clicks_{side}"] / both[f"shown_{side}"]).to_numpy()
        for side in ("before", "now")
    }
    means = {side: float(weight @ rate) for side, rate in rates.items()}
    variance = sum(
        float(weight**2 @ (rates[side] * (1 - rates[side]) / both[f"shown_{side}"].to_numpy()))
        for side in rates
    )
    ratio = means["now"] / means["before"] - 1 if means["before"] else 0.0
    deviation = (means["now"] - means["before"]) / np.sqrt(variance) if variance else 0.0
    return Signal(
        name="engagement.click_through",
        text="click-through, position by position",
        action=RETRAIN,
        statistic="relative change",
        value=abs(ratio),
        p_value=float(2 * stats.norm.sf(abs(deviation))),
        before=f"{means['before']:.2%}",
        now=f"{means['now']:.2%}",
        rows=int(min(both["shown_before"].sum(), both["shown_now"].sum())),
    )


def quality_signal(reference: Snapshot, current: Snapshot, window_days: float) -> Signal:
    """Return the fall of the share of engaged items that is found, over windows of one length.

    One value per held-out query: the share of the items engaged for it in the last days of either
    log that is among the first k results. A reference that does not say when they were engaged, or
    is about another k, is not comparable and gives no alarm.
    """
    tables = reference.quality, current.quality
    columns = {"query", "timestamp", "found", "k"}
    ks = {int(k) for table in tables if columns <= set(table) for k in table["k"].unique()}
    comparable = all(columns <= set(table) for table in tables) and len(ks) <= 1
    before, now = (
        _found_shares(table, window_days) if comparable else np.empty(0) for table in tables
    )
    texts = [
        f"{mean(values):.3f} ({len(values)} queries)" if comparable else "measured otherwise"
        for values in (before, now)
    ]
    return Signal(
        name="quality.clicks",
        text=f"engaged items found among the first {max(ks, default=0)} results, "
        f"of {window_days:g} days",
        action=RETRAIN,
        statistic="fall",
        value=mean(before) - mean(now) if len(before) and len(now) else 0.0,
        p_value=welch(before, now),
        before=texts[0],
        now=texts[1],
        rows=min(len(before), len(now)),
    )


def _found_shares(quality: pd.DataFrame, window_days: float) -> NDArray[np.float64]:
    """Return the share of found items of every query engaged for in the last days of a log."""
    times = quality["timestamp"]
    since = times.max() - pd.Timedelta(days=window_days)
    newest = quality[(times > since) | times.isna().all()]
    shares = newest.astype({"found": float}).groupby("query")["found"].mean()
    return shares.to_numpy(np.float64)


def embedding_signals(reference: Snapshot, current: Snapshot) -> list[Signal]:
    """Return how well a classifier tells today's embeddings from the reference's (ROC AUC)."""
    signals = []
    for name, text in (
        ("text", "embeddings of item texts"),
        ("image", "embeddings of pictures"),
        ("query", "embeddings of queries"),
    ):
        before, now = reference.vectors[name], current.vectors[name]
        # One item, or one query typed twice, must not lie in two folds: what a classifier learned
        # of it as one of then it would tell of it as one of today.
        owners = [*reference.owners[name], *current.owners[name]]
        groups = np.unique(owners, return_inverse=True)[1]
        enough = min(len(before), len(now)) >= 2 * FOLDS
        auc = domain_auc(before, now, groups)[0] if enough else 0.5
        # Variance of the Mann-Whitney statistic where both samples come from one distribution.
        sizes = len(before), len(now)
        deviation = np.sqrt((sum(sizes) + 1) / (12 * max(1, sizes[0] * sizes[1])))
        low, high = auc - 1.96 * deviation, auc + 1.96 * deviation
        signals.append(
            Signal(
                name=f"embeddings.{name}",
                text=text,
                action=RETRAIN,
                statistic="AUC of a domain classifier",
                value=auc,
                p_value=float(stats.norm.sf((auc - 0.5) / deviation)),
                before="0.5 without drift",
                now=f"{auc:.2f} (95 % {low:.2f} to {min(1.0, high):.2f})",
                rows=min(sizes),
            )
        )
    return signals


def stale_signal(shop_items: list[str], index_items: list[str]) -> Signal:
    """Return the share of today's items that the release cannot find."""
    known = set(index_items)
    missing = sum(item_id not in known for item_id in shop_items)
    share = missing / max(1, len(shop_items))
    return Signal(
        name="items.not_indexed",
        text="items that the release's index lacks",
        action=REFRESH,
        statistic="share",
        value=share,
        p_value=float("nan"),
        before="0.0%",
        now=f"{share:.1%}",
        rows=len(shop_items),
    )
