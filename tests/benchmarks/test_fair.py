"""The fair study: what it tries, how sure it is, and what a killed run leaves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.fair.intervals import difference, mean_over, seed_weights
from benchmarks.fair.learners import Smar
from benchmarks.fair.results import Results
from benchmarks.fair.space import SPACES, draw
from smar.params import FinetuneParams, PretrainParams


def test_the_first_trial_is_the_same_recipe_for_all():
    for name in ("learning_rate", "temperature", "queries_per_item", "synthetic_share"):
        assert len({draw(system, 0, 7)[name] for system in SPACES if system != "bm25"}) == 1


@pytest.mark.parametrize("number", [0, 1, 19])
def test_systems_share_what_they_both_have_and_a_trial_is_the_same_each_time(number: int):
    first, *others = (draw(system, number, 7) for system in SPACES if system != "bm25")
    for other in others:
        assert all(other[name] == first[name] for name in other.keys() & first.keys())
    assert draw("smar", number, 7) == first
    assert list(first) == list(SPACES["smar"])


def test_draws_cover_what_they_are_of():
    drawn = pd.DataFrame([draw("gcl", number, 7) for number in range(1, 400)])
    assert sorted(drawn["items_per_step"].unique()) == [96, 128, 192, 256]
    assert drawn["learning_rate"].between(0.0007, 0.006).all()
    # Even in the logarithm: as many draws below the geometric mean of the ends as above it.
    below = (drawn["learning_rate"] < (0.0007 * 0.006) ** 0.5).mean()
    assert below == pytest.approx(0.5, abs=0.08)
    assert drawn["picture"].mean() == pytest.approx(0.5, abs=0.03)
    assert not (drawn == pd.DataFrame([draw("gcl", n, 8) for n in range(1, 400)])).all(axis=None)


def test_weights_of_seeds_have_the_variance_that_few_seeds_ask_for():
    weights = seed_weights(3, 40_000, np.random.default_rng(0))
    assert weights.sum(1) == pytest.approx(1)
    values = np.array([1.0, 2.0, 6.0])
    # s^2 / S with S - 1 below it: 7 / 3.
    assert np.var(weights @ values) == pytest.approx(7 / 3, rel=0.03)
    assert seed_weights(1, 5, np.random.default_rng(0)).tolist() == [[1.0]] * 5


def test_an_interval_is_as_wide_as_queries_and_seeds_ask_for():
    rng = np.random.default_rng(1)
    queries, of_seed = rng.normal(0, 1, 400), np.array([[-0.3], [0.0], [0.3]])
    of_queries, of_seeds = queries.var() / 400, 0.3**2 / 3
    for values, variance in (
        (queries[None, :], of_queries),
        (of_seed + np.zeros(400), of_seeds),
        (of_seed + queries, of_queries + of_seeds),
    ):
        found = mean_over(values, 4000, rng)
        assert found.high - found.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.05)
        assert found.mean == pytest.approx(values.mean())


def test_a_difference_forgets_what_queries_have_in_common():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 5, 300)
    ours, theirs = hard + rng.normal(0.2, 0.1, (3, 300)), hard + rng.normal(0, 0.1, (1, 300))
    found = difference(ours, theirs, 2000, rng)
    assert found.mean == pytest.approx(0.2, abs=0.03)
    assert 0.1 < found.low < found.mean < found.high < 0.3


def test_a_killed_run_leaves_whole_trials(tmp_path: Path):
    results = Results(tmp_path / "new")
    assert results.trials("smar") == results.finals("smar") == []
    results.add_trial("smar", {"number": 1, "value": 0.5})
    with (tmp_path / "new" / "smar-trials.jsonl").open("a") as file:
        file.write('{"number": 2, "val')
    results.add_trial("smar", {"number": 0, "value": 0.25})
    assert [line["number"] for line in results.trials("smar")] == [0, 1]
    results.add_final("smar", {"seed": 7}, pd.DataFrame({"recall@50": [1.0]}))
    assert results.finals("smar") == [{"seed": 7}]
    assert results.per_query("smar", 7)["recall@50"].tolist() == [1.0]


@pytest.mark.parametrize("side_tasks", [True, False])
def test_smar_without_side_tasks_learns_by_one_loss(side_tasks: bool):
    learner = object.__new__(Smar)  # its parameters follow from settings alone
    own = learner.own(draw("smar", 0, 7) | {"side_tasks": side_tasks})
    stages = {"pretrain": PretrainParams(), "finetune": FinetuneParams()}
    weights = {
        name: own.get(name, getattr(params, name.split(".")[1]))
        for stage, params in stages.items()
        for name in (f"{stage}.{task}" for task in ("gated", "alpha", "beta", "gamma"))
        if hasattr(params, name.split(".")[1])
    }
    trained = {name for name, weight in weights.items() if weight}
    assert trained == (set(weights) if side_tasks else {"pretrain.gamma", "finetune.gamma"})
