"""Figures of engagements."""

import numpy as np
import pandas as pd
import pytest

from smar.validation import engagements


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_rows_looked_at_one_by_one(seed: int):
    rng, rows = np.random.default_rng(seed), 4000
    num_shown = rng.integers(0, 13, 600)
    accepted = rng.random(600) < 0.9
    frame = pd.DataFrame(
        {
            "search": rng.integers(-1, 600, rows),  # -1 of none: its rule may only warn
            "action": rng.choice(["click", "purchase"], rows),
            "position": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 15, rows)),
        }
    )
    kept = rng.random(rows) < 0.8
    left = frame[kept]
    by_place = engagements.place_table(left, num_shown, accepted)
    clicks = {
        (search, place)
        for search, action, place in left.itertuples(index=False)
        if action == "click" and search >= 0
    }
    for row in by_place.itertuples():
        assert row.clicks == sum(place == row.place for _, place in clicks)
        assert row.searches == (num_shown[accepted] >= row.place).sum()
    assert len(by_place) > 5
    found = engagements.figures(frame, kept, num_shown, accepted, by_place).iloc[0]
    assert found["click_through"] == len(set(left["search"])) / accepted.sum()
    clicked = set(left[left["action"] == "click"]["search"])
    with_results = (num_shown[accepted] > 0).sum()
    assert found["click_through_shown"] == sum(num_shown[at] > 0 for at in clicked) / with_results
