"""Work over shards, done by this process."""

from functools import partial
from pathlib import Path

import pytest

from smar.errors import ClusterError
from smar.params import ClusterParams
from smar.shards.mapping import map_shards

LOCAL = ClusterParams()


def squares() -> object:
    return lambda number: number**2


def test_results_come_in_the_order_of_the_shards():
    assert list(map_shards(squares, [3, 1, 2], LOCAL)) == [9, 1, 4]


def test_shards_are_taken_as_results_are():
    taken = []

    def shards():
        for number in range(3):
            taken.append(number)
            yield number

    results = map_shards(squares, shards(), LOCAL)
    assert next(results) == 0
    assert taken == [0]


def test_what_is_at_hand_is_not_prepared_again():
    def prepare():
        raise AssertionError

    assert list(map_shards(prepare, [2], LOCAL, here=lambda number: number + 1)) == [3]


def test_nothing_is_prepared_before_a_result_is_asked_for():
    map_shards(partial(pytest.fail, "prepared"), [1], LOCAL)


def test_a_cluster_that_does_not_answer_is_said_at_once():
    nowhere = ClusterParams(kind="ray", address="127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"127.0.0.1:9.*ray start --head.*cluster.kind to local"):
        list(map_shards(squares, [1], nowhere))


def test_a_token_that_is_here_and_not_sent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    (tmp_path / ".ray").mkdir()
    away = ClusterParams(kind="ray", address="127.0.0.1:1")
    with pytest.raises(ClusterError) as told:
        list(map_shards(squares, [1], away))
    assert "RAY_AUTH_MODE" not in str(told.value)
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    with pytest.raises(ClusterError, match="RAY_AUTH_MODE=token sends it"):
        list(map_shards(squares, [1], away))


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_threads_of_a_worker_are_as_asked(kind: str):
    assert ClusterParams(kind=kind).threads(3) == 3


def test_without_a_number_a_worker_of_a_cluster_has_one_thread():
    assert (LOCAL.threads(0), ClusterParams(kind="ray").threads(0)) == (0, 1)
