"""The relevance of hits against judgements, and the queries that are answered weakly."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from smar.evaluation import relevance
from smar.evaluation.relevance import relevance_of, weak_queries
from smar.index.relevance import Calibration
from smar.index.sought import Sought
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings


class Index:
    """An index whose scores are the probabilities, and whose best hit is the query's length."""

    calibration: Calibration | None = Calibration((1.0, 0.0), (0.0, 1.0), (0.0, 1.0), 0.3, "trial")

    def read(self, texts: list[str]) -> list[str]:
        return [text.replace("~", "") for text in texts]

    def sought(self, text: str) -> Sought:
        return Sought(text)

    def likely(self, text: str, scores: np.ndarray) -> np.ndarray:
        return scores.astype(np.float64)

    def search(self, texts: list[str], encoded: QueryEmbeddings, k: int) -> tuple:
        assert k == 1
        return np.array([[len(text) / 10] for text in texts]), np.array([[len(t)] for t in texts])


class Bare(Index):
    """One without a calibration."""

    calibration = None


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relevance, "encode_queries", lambda _, texts: None)


def judged() -> tuple[QuerySet, Run]:
    grades = csr_matrix([[2.0, 0, 0, 1.0], [0, 2.0, 0, 0]])
    queries = QuerySet("test", ["a", "b"], ["x", "y"], np.zeros(2, np.int64), grades, 2)
    rows = np.array([[0, 3, 1], [2, 1, -1]])
    scores = np.array([[0.9, 0.4, 0.1], [0.6, 0.2, -np.inf]], np.float32)
    return queries, Run("hybrid", rows, scores)


def test_relevance_is_held_against_every_hit():
    """Told .9, .4, .1, .6 and .2, of which the first and the last are relevant; the cut is .3."""
    found = relevance_of(Index(), *judged())
    assert found is not None
    assert found.reliability.queries == 5
    assert found.kept == 0.5
    assert found.gone == pytest.approx(1 / 3)
    errors = [0.1, 0.4, 0.1, 0.6, 0.8]
    assert found.reliability.error == pytest.approx(sum(errors) / 5, abs=1e-6)
    assert found.summary()["cut"] == 0.3


def test_weak_queries_are_those_with_no_probable_hit_the_most_searched_first():
    queries = pd.DataFrame(
        {
            "query": ["lampshade", "tea", "ru~~~~~g", "boots", "a", "ru~~~~~g"],
            "num_searches": [9, 2, 5, 0, 2, 5],
        }
    )
    titles = pd.Series([f"item {n}" for n in range(10)])
    weak = weak_queries(Index(), None, queries, titles)
    assert weak["query"].tolist() == ["ru~~~~~g", "a", "tea"]  # as typed, judged as it is read
    assert weak["searches"].tolist() == [5, 2, 2]
    assert weak["best_hit"].tolist() == ["item 3", "item 1", "item 3"]
    assert weak["nothing_left"].tolist() == [False, True, False]


def test_index_without_calibration_tells_nothing():
    assert relevance_of(Bare(), *judged()) is None
    queries = pd.DataFrame({"query": ["tea"], "num_searches": [2]})
    assert weak_queries(Bare(), None, queries, pd.Series(["item"])).empty
