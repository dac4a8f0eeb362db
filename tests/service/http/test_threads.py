"""The threads of a search hold where searches run."""

from functools import partial

import faiss
import pytest

from smar.service.http.batching import Batcher
from smar.service.http.settings import Settings
from smar.service.http.threads import limit_thread, threads_of


def test_the_thread_that_answers_has_its_own_limit():
    before = faiss.omp_get_max_threads()
    wanted = before + 5  # what no thread begins with
    batcher: Batcher[int, int] = Batcher(
        lambda batch: [faiss.omp_get_max_threads() for _ in batch],
        max_waiting=8,
        max_batch=4,
        deadline_s=9.0,
        begin=partial(limit_thread, wanted),
    )
    assert batcher.submit(0).result(9) == wanted
    batcher.close()
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize(
    ("settings", "cores", "expected"),
    [({"workers": 2}, 2, 1), ({}, 2, 2), ({"workers": 8}, 2, 1), ({"threads": 3}, 2, 3)],
)
def test_processors_are_shared_by_the_workers(
    settings: dict[str, int], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert threads_of(Settings(**settings)) == expected
