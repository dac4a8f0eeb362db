"""Discriminants of words: closed forms and the same by others."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from smar.index.discriminants import Discriminants, Kinds, Moments, auc_within


def items(size: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Return items of four numbers and whether they have a word that the first two tell."""
    rng = np.random.default_rng(0)
    told = rng.random(size) < 0.3
    return rng.normal(size=(size, 4)) + told[:, None] * [1.0, 0.5, 0, 0], told


def as_told(told: np.ndarray) -> csr_matrix:
    return csr_matrix(told.reshape(len(told), -1).astype(float))


def fitted(x: np.ndarray, told: np.ndarray, ridge: float = 0.0) -> Discriminants:
    size = x.shape[1]
    return Discriminants.of(Moments.of(x, as_told(told)), slice(0, size), np.full(size, ridge))


def test_log_odds_are_those_of_two_normal_classes_of_one_covariance():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x, told = items()
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, told).predict_proba(x)[:, 1]
    assert np.abs(fitted(x, told).probability(x)[:, 0] - theirs).max() < 1e-6


def test_sums_without_some_items_are_those_of_the_others():
    x, told = items(100)
    parts = [Moments.of(x[part], as_told(told[part])) for part in (slice(40), slice(40, 100))]
    left, other = Moments.all_of(parts).without(parts[0]), parts[1]
    for name, value in vars(other).items():
        assert np.allclose(vars(left)[name], value), name


def test_some_columns_are_a_fit_to_these_alone():
    x, told = items()
    moments = Moments.of(x, as_told(told))
    some = Discriminants.of(moments, slice(1, 3), np.full(4, 0.1))
    assert np.allclose(some.lines, fitted(x[:, 1:3], told, 0.1).lines)


def test_a_ridge_is_of_the_mean_variance_of_its_own_columns():
    x, told = items()
    x = x * [1, 1, 100, 100]
    moments, columns = Moments.of(x, as_told(told)), slice(0, 4)
    ridge = Discriminants.of(moments, columns, np.array([2.0, 2.0, 0.0, 0.0]))
    small = Discriminants.of(moments, columns, np.array([0.0, 0.0, 0.0, 0.0]))
    assert np.abs(ridge.lines[:2] / small.lines[:2] - 1 / 3).max() < 0.05
    assert np.allclose(ridge.lines[2:], small.lines[2:], atol=1e-3)


def test_what_does_not_vary_and_what_nothing_is_told_of_has_finite_odds():
    x, told = np.ones((20, 3)), np.zeros((20, 2), bool)
    told[:5, 0] = True
    fit = fitted(x, told, 0.1)
    chances = fit.probability(x)
    assert np.isfinite(chances).all()
    assert chances[0, 0] == pytest.approx(0.25)
    assert fit.probability(x, np.array([1])).shape == (20, 1)


def by_pairs(score: np.ndarray, told: np.ndarray, of: np.ndarray, few: int) -> float:
    pairs = [
        (score[a] > score[b], of[a])
        for a in np.flatnonzero(told) for b in np.flatnonzero(~told)
        if of[a] == of[b] and (~told & (of == of[a])).sum() >= few
    ]  # fmt: skip
    kinds = sorted({c for _, c in pairs})
    means = [np.mean([right for right, c in pairs if c == each]) for each in kinds]
    return float(np.average(means, weights=[told[of == each].sum() for each in kinds]))


@pytest.mark.parametrize("few", [1, 3])
def test_auc_within_categories_is_that_of_all_pairs_of_one_category(few: int):
    rng = np.random.default_rng(0)
    score, told, of = rng.random(200), rng.random(200) < 0.4, rng.integers(0, 4, 200)
    of[:3], told[:3] = 4, [True, True, False]  # a category of one without the word
    found, _ = auc_within(score, np.flatnonzero(told), Kinds.of(of), few)
    assert found == pytest.approx(by_pairs(score, told, of, few))
    assert auc_within(score, np.arange(200), Kinds.of(of), few) == (0, 0)


@pytest.mark.parametrize("asked", [0, 3, 200], ids=["none", "few", "all"])
def test_places_within_a_category_are_those_of_all_items_in_order(asked: int):
    """Few items are compared with each of their category, of many all are ordered."""
    rng = np.random.default_rng(asked)
    score, of = rng.integers(0, 9, 200) / 9, rng.integers(0, 4, 200)  # many are equal
    order = np.lexsort((score, of))
    places = np.empty(200, np.int64)
    places[order] = np.concatenate([np.arange(n) for n in np.bincount(of)])
    items = np.sort(rng.choice(200, asked, replace=False))
    assert np.array_equal(Kinds.of(of).places(score, items), places[items])


def test_the_error_of_an_auc_is_its_deviation_over_draws():
    rng = np.random.default_rng(0)
    has, kinds = np.arange(12), Kinds.of(np.zeros(60, np.int64))
    told = np.arange(60) < 12
    found = [auc_within(rng.normal(size=60) + told, has, kinds, 3) for _ in range(2000)]
    aucs, errors = np.array(found).T
    assert errors.mean() == pytest.approx(aucs.std(), rel=0.15)
