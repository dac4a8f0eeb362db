"""Tests of two samples, each with a p value: categories, numbers, shares, embeddings.

Shapes: n rows, D embedding length.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

FOLDS = 4


def domain_auc(
    before: NDArray[np.float32], now: NDArray[np.float32], groups: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the ROC AUC of a cross-validated logistic regression, and how new each row looks.

    Args:
        before: Embeddings of the reference, [n, D].
        now: Embeddings of today, [n, D].
        groups: Rows of one group stay in one fold, those of `before` first.

    Returns:
        The AUC, and today's out-of-fold probabilities of being of today, [n].
    """
    values = np.concatenate([before, now]).astype(float)
    label = np.repeat([0, 1], [len(before), len(now)])
    scores = np.zeros(len(values))
    for train, test in GroupKFold(FOLDS).split(values, label, groups):
        scaler = StandardScaler().fit(values[train])
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=500)
        model.fit(scaler.transform(values[train]), label[train])
        scores[test] = model.predict_proba(scaler.transform(values[test]))[:, 1]
    return float(roc_auc_score(label, scores)), scores[len(before) :]


def category_test(before: pd.Series, now: pd.Series) -> float:
    """Return the p value of the chi-squared test, categories below 5 in sum taken together."""
    counts = pd.DataFrame({"before": before.value_counts(), "now": now.value_counts()}).fillna(0)
    rare = counts.sum(axis=1) < 5
    table = pd.concat([counts[~rare], counts[rare].sum().to_frame().T])
    table = table[table.sum(axis=1) > 0]
    if len(table) < 2 or (table.sum() == 0).any():
        return 1.0
    return float(stats.chi2_contingency(table.to_numpy()).pvalue)


def number_test(before: pd.Series, now: pd.Series) -> float:
    """Return the p value of the two-sample Kolmogorov-Smirnov test."""
    if not len(before) or not len(now):
        return 1.0
    return float(stats.ks_2samp(before, now).pvalue)


def welch(larger: NDArray[np.float64], smaller: NDArray[np.float64]) -> float:
    """Return the one-sided p value that the first mean is larger, by Welch's test."""
    if min(len(larger), len(smaller)) < 2:
        return 1.0
    gap = larger.mean() - smaller.mean()
    error = np.sqrt(larger.var(ddof=1) / len(larger) + smaller.var(ddof=1) / len(smaller))
    if error == 0:
        return 0.0 if gap > 0 else 1.0
    return float(stats.norm.sf(gap / error))


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean, 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0


def numbers(values: pd.Series) -> str:
    """Return mean and standard deviation as text."""
    return f"{values.mean():.2f} \u00b1 {values.std(ddof=0):.2f}" if len(values) else "none"


def categories(values: pd.Series, other: pd.Series) -> str:
    """Return the shares of the three categories that moved most."""
    shares = [side.value_counts(normalize=True) for side in (values, other)]
    table = pd.DataFrame({"own": shares[0], "other": shares[1]}).fillna(0)
    moved = (table["own"] - table["other"]).abs().sort_values(ascending=False).index[:3]
    return ", ".join(f"{name} {table.loc[name, 'own']:.0%}" for name in moved)
