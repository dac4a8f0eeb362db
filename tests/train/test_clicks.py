"""What engagements are worth: as they fell, by place, and by a click model."""

import numpy as np
import pandas as pd
import pytest

from smar.errors import DataError
from smar.params import ClicksParams
from smar.params.kinds import CLICKS
from smar.train.clicks import grade_engagements
from smar.train.examination import Impressions, estimate

KINDS = [kind for kind in CLICKS if kind != "unweighted"]


def engagements(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Each in a search of its own, at the first place."""
    frame = pd.DataFrame(rows, columns=["query_id", "item_id", "action"])
    return frame.assign(position=1, search_id=[f"s{row}" for row in range(len(rows))])


def no_searches() -> pd.DataFrame:
    return pd.DataFrame({"search_id": [], "query_id": [], "shown": []}).astype(object)


def unweighted(log: pd.DataFrame) -> pd.Series:
    return grade_engagements(log, no_searches, ClicksParams()).set_index("item_id")["grade"]


def test_grades_weigh_rare_actions_more_and_reach_four():
    log = engagements(
        [("q", "a", "click")] * 4
        + [("q", "b", "purchase"), ("q", "b", "add_to_cart")] * 1
        + [("q", "c", "add_to_cart")]
    )
    # P = 1, A = 2, C = 4: weights 1, 1/2, 1/4; a = 4/4 = 1, b = 1 + 1/2, c = 1/2.
    assert unweighted(log).to_dict() == pytest.approx({"a": 4 / 1.5, "b": 4.0, "c": 4 * 0.5 / 1.5})


def test_grades_without_purchases_scale_on_the_rarest_action():
    log = engagements([("q", "a", "click"), ("q", "a", "click"), ("q", "b", "click")])
    assert unweighted(log).to_dict() == pytest.approx({"a": 4.0, "b": 2.0})


def test_grades_of_an_empty_log_are_empty():
    assert unweighted(engagements([])).empty


def shop_log(num: int, seen: np.ndarray, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A log of two queries over eight items of one attraction each, shown in any order."""
    rng = np.random.default_rng(seed)
    attraction = np.array([0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02])
    shown, rows = [], []
    for number in range(num):
        order = rng.permutation(8)[: len(seen)]
        shown.append([f"i{item}" for item in order])
        engaged = rng.random(len(seen)) < seen * attraction[order]
        rows += [
            (f"s{number}", f"q{number % 2}", f"i{order[k]}", "click", k + 1)
            for k in np.flatnonzero(engaged)
        ]
    searches = pd.DataFrame(
        {
            "search_id": [f"s{n}" for n in range(num)],
            "query_id": [f"q{n % 2}" for n in range(num)],
            "shown": shown,
        }
    )
    names = ["search_id", "query_id", "item_id", "action", "position"]
    return searches, pd.DataFrame(rows, columns=names)


SEEN = np.array([1.0, 0.6, 0.35, 0.2, 0.1])


def test_planted_examination_and_attraction_are_found():
    impressions = Impressions.of(*shop_log(8000, SEEN))
    model = estimate(impressions)
    assert model.seen == pytest.approx(SEEN, abs=0.04)
    assert not model.misled.any()
    found = pd.Series(model.attraction(impressions), index=impressions.pairs).unstack("query_id")
    assert found.loc["i0"].to_numpy() == pytest.approx(0.9, abs=0.08)
    assert found.loc["i4"].to_numpy() == pytest.approx(0.2, abs=0.05)


def test_estimate_is_as_likely_as_the_truth_and_as_any_near_it():
    """A slow oracle: the likelihood, summed over levels pair by pair."""
    impressions = Impressions.of(*shop_log(300, SEEN))
    model = estimate(impressions, trust=True)

    def likelihood(seen: np.ndarray, misled: np.ndarray) -> float:
        total = 0.0
        for engaged, passed in zip(
            impressions.engaged.toarray(), impressions.passed.toarray(), strict=True
        ):
            chance = np.outer(seen, model.levels) + np.outer(misled, 1 - model.levels)
            chance = np.clip(chance, 1e-9, 1 - 1e-9)
            each = chance ** engaged[:, None] * (1 - chance) ** passed[:, None]
            total += np.log(each.prod(0) @ model.shares)
        return total

    best = likelihood(model.seen, model.misled)
    number = impressions.engaged.sum() + impressions.passed.sum()
    assert -best / number == pytest.approx(model.loss, abs=1e-4)
    assert best >= likelihood(SEEN, np.zeros(5))
    rng = np.random.default_rng(0)
    for _ in range(20):
        near = np.clip(model.seen + rng.normal(0, 0.05, 5), 0.01, 1)
        near[0] = 1.0
        assert best >= likelihood(near, model.misled) - 0.05


def test_histories_that_are_equal_are_counted_once_and_change_nothing():
    impressions = Impressions.of(*shop_log(40, SEEN))
    histories, counts = impressions.distinct()
    assert counts.sum() == len(impressions.pairs)
    both = np.hstack([histories.engaged.toarray(), histories.passed.toarray()])
    assert len({row.tobytes() for row in both}) == len(histories.pairs)


def test_place_that_misleads_is_told_from_attraction():
    """What attracts nobody is engaged at the first place all the same."""
    searches, log = shop_log(4000, SEEN)
    rng = np.random.default_rng(1)
    first = searches.assign(item_id=searches["shown"].str[0], action="click", position=1)
    extra = first[rng.random(len(first)) < 0.3].drop(columns="shown")
    misleading = pd.concat([log, extra]).drop_duplicates(["search_id", "item_id"])
    impressions = Impressions.of(searches, misleading)
    trusting = estimate(impressions, trust=True)
    assert trusting.loss < estimate(impressions).loss - 1e-3
    assert trusting.misled[0] == pytest.approx(0.3, abs=0.06)
    assert trusting.misled[1:].max() < 0.05


def test_engagement_at_a_place_seen_half_as_often_counts_twice():
    searches, log = shop_log(8000, SEEN)
    two = pd.DataFrame({
        "search_id": ["x", "y"], "query_id": ["q9", "q9"], "item_id": ["i0", "i1"],
        "action": "click", "position": [1, 2],
    })  # fmt: skip
    grades = grade_engagements(
        pd.concat([log, two]), lambda: searches, ClicksParams(kind="weighted")
    )
    of = grades[grades["query_id"] == "q9"].set_index("item_id")["grade"]
    assert of["i1"] == 4.0
    assert of["i0"] == pytest.approx(4 * 0.6, abs=0.15)


def test_least_of_one_counts_as_they_fell():
    searches, log = shop_log(200, SEEN)
    clicks = ClicksParams(kind="weighted", weighted={"least": 1.0})
    plain = grade_engagements(log, no_searches, ClicksParams())
    pd.testing.assert_frame_equal(grade_engagements(log, lambda: searches, clicks), plain)


@pytest.mark.parametrize("kind", ["attraction", "doubly_robust"])
def test_how_often_something_was_shown_counts_for_nothing(kind: str):
    """An item shown first in every search has more clicks than a better one at the end."""
    searches, log = shop_log(4000, SEEN)
    rng = np.random.default_rng(2)
    lists, rows = [], []
    for number in range(600):
        lists.append(["worse", "a", "b", "c", "better"])
        chances = SEEN * np.array([0.3, 0.0, 0.0, 0.0, 0.9])
        rows += [
            (f"x{number}", "q9", lists[-1][place], "click", place + 1)
            for place in np.flatnonzero(rng.random(5) < chances)
        ]
    ids = [f"x{number}" for number in range(600)]
    own = pd.DataFrame({"search_id": ids, "query_id": "q9", "shown": lists})
    all_searches = pd.concat([searches, own])
    all_log = pd.concat([log, pd.DataFrame(rows, columns=log.columns)])

    def grades(clicks: ClicksParams) -> pd.Series:
        found = grade_engagements(all_log, lambda: all_searches, clicks)
        return found[found["query_id"] == "q9"].set_index("item_id")["grade"]

    assert grades(ClicksParams())["worse"] == 4.0
    by_place = grades(ClicksParams(kind=kind))
    assert by_place["better"] == 4.0
    assert by_place["worse"] < 2.4  # 4 / 3, but for the shrinking of what was seen seldom


@pytest.mark.parametrize("kind", KINDS)
def test_log_that_does_not_say_what_was_shown_is_refused(kind: str):
    log = engagements([("q", "a", "click")])
    with pytest.raises(DataError, match=rf"clicks.kind: '{kind}'.*Set clicks.kind to unweighted"):
        grade_engagements(log, no_searches, ClicksParams(kind=kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_engaged_pair_keeps_a_grade_above_zero(kind: str):
    searches, log = shop_log(100, SEEN)
    grades = grade_engagements(log, lambda: searches, ClicksParams(kind=kind))
    assert set(zip(grades["query_id"], grades["item_id"], strict=True)) == set(
        zip(log["query_id"], log["item_id"], strict=True)
    )
    assert grades["grade"].between(0, 4, inclusive="right").all()
