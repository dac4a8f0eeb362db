"""What a worker compares with the process that hands out the shards."""

import pytest

from smar.errors import ClusterError
from smar.shards import worker


def prepared() -> object:
    raise AssertionError("prepared")


@pytest.mark.parametrize("library", ["faiss-cpu", "numba", "torch", "pillow-heif"])
def test_another_version_of_what_computes_is_one_error_before_any_work(library: str):
    expected = worker.facts() | {library: "0.1"}
    with pytest.raises(ClusterError, match=rf"(?s)other versions.*{library} [\d.]+.* runs 0\.1"):
        worker.Worker(prepared, expected).run(None)


def test_a_fact_that_only_the_stage_has_is_a_difference():
    with pytest.raises(ClusterError, match="novel none, where the stage runs 3"):
        worker.check_versions(worker.facts() | {"novel": "3"})


def test_all_that_differs_is_told_at_once():
    expected = worker.facts() | {"faiss-cpu": "0.1", "python": "2.7"}
    with pytest.raises(ClusterError, match=r"(?s)python .*2\.7.*faiss-cpu .*0\.1"):
        worker.check_versions(expected)


def test_equal_facts_pass():
    worker.check_versions(dict(worker.facts()))
    assert worker.Worker(lambda: abs, worker.facts()).run(-2) == 2
