"""Requests and searches are noted, and counted when somebody looks or many wait."""

from dataclasses import replace

import pytest

from smar.service.answer import Answer, Shares
from smar.service.http import metrics as counting
from smar.service.http.metrics import Metrics

ANSWER = Answer("1", "lamp", "v1", 3, 0, 10, [], {}, 0.3, Shares(0.7, 0.3, 0.0), {"encode": 2.0})


def value(metrics: Metrics, line: str) -> float:
    found = [row for row in metrics.text().decode().splitlines() if row.startswith(f"{line} ")]
    return float(found[0].split()[1])


def test_what_was_noted_is_counted_once_by_who_looks():
    metrics = Metrics()
    metrics.answered("/search", 200, 0.004)
    metrics.answered("/search", 200, 0.002)
    metrics.answered("/search", 422, 0.001)
    metrics.see(3, [ANSWER, replace(ANSWER, query="", total=0, milliseconds={"encode": 2.0})])
    for _ in range(2):
        assert value(metrics, 'smar_requests_total{route="/search",status="200"}') == 2
        assert value(metrics, 'smar_requests_total{route="/search",status="422"}') == 1
        assert value(metrics, 'smar_request_seconds_sum{route="/search"}') == pytest.approx(0.007)
        assert value(metrics, "smar_batch_searches_sum") == 3
        assert value(metrics, "smar_searches_empty_total") == 1
        assert value(metrics, "smar_search_gate_count") == 1, "one browses"
        assert value(metrics, 'smar_search_part_seconds_sum{part="encode"}') == 0.002


def test_what_nobody_looks_at_does_not_pile_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(counting, "_MOST_WAITING", 10)
    metrics = Metrics()
    for _ in range(11):
        metrics.see(1, [ANSWER])
        metrics.answered("/search", 200, 0.004)
    requests = metrics.requests.labels("/search", "200")
    assert requests._value.get() == 11
    assert not metrics._batches
