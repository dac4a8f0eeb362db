"""Shards on a Ray cluster of two machines, which are two of Ray's nodes on this one."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smar.errors import ClusterError, DataError
from smar.params import ClusterParams
from smar.shards import on_ray
from smar.shards.mapping import map_shards
from tests.shards import work

pytestmark = pytest.mark.whole
RAY = ClusterParams(kind="ray")


@pytest.mark.usefixtures("cluster")
def test_results_come_in_order_from_all_workers():
    found = list(map_shards(partial(work.squares, 0.1), range(200), RAY))
    assert [square for square, _ in found] == [number**2 for number in range(200)]
    assert len({process for _, process in found}) == 4


@pytest.mark.usefixtures("cluster")
def test_a_slow_shard_does_not_hold_up_the_others():
    shards = [(1.0, 0), *[(0.0, number) for number in range(1, 12)]]
    found = list(map_shards(work.sleepers, shards, RAY.model_copy(update={"workers": 2})))
    shares = Counter(process for _, process in found)
    assert [number for number, _ in found] == list(range(12))
    assert max(shares.values()) >= 10, "who is done takes the next"


@pytest.mark.usefixtures("cluster")
def test_shards_are_not_taken_far_ahead_of_results():
    taken = []

    def shards():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_shards(partial(work.squares, 0.01), shards(), RAY)
    next(results)
    results.close()
    assert len(taken) <= 8 * 4


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_changes_nothing(tmp_path: Path):
    prepare = partial(work.fatal, 7, tmp_path, 2)
    assert list(map_shards(prepare, range(20), RAY)) == [number**2 for number in range(20)]
    assert len(list(tmp_path.iterdir())) == 2, "two workers were killed"


@pytest.mark.usefixtures("cluster")
def test_a_shard_that_kills_whoever_takes_it_is_given_up(tmp_path: Path):
    with pytest.raises(ClusterError, match=r"ended 4 workers.*memory"):
        list(map_shards(partial(work.fatal, 1, tmp_path, 99), range(3), RAY))


@pytest.mark.usefixtures("cluster")
def test_an_error_of_the_work_is_the_error_of_the_caller():
    with pytest.raises(DataError, match="5: not a shard"):
        list(map_shards(work.refusing, [5], RAY))


@pytest.mark.usefixtures("cluster")
def test_a_machine_without_the_project_is_told_from_a_damaged_project():
    with pytest.raises(ClusterError, match=r"cannot begin: data/images: is missing.*same path"):
        list(map_shards(work.nothing_there, [1], RAY))


@pytest.mark.usefixtures("cluster")
def test_other_versions_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch):
    mine = {"python": on_ray.facts()["python"], "smar": "other", "numpy": "1.0"}
    monkeypatch.setattr(on_ray, "facts", lambda: mine)
    with pytest.raises(ClusterError, match=r"(?s)smar .* runs other.*numpy .* runs 1\.0"):
        list(map_shards(work.squares, [1], RAY))


@pytest.mark.usefixtures("cluster")
def test_a_worker_wider_than_the_cluster_is_refused():
    with pytest.raises(ClusterError, match="4 CPUs, fewer than the 9"):
        list(map_shards(work.squares, [1], RAY, threads=9))


def test_a_lost_machine_changes_nothing(cluster: Any):
    third = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()

    found = []
    for result in map_shards(partial(work.squares, 0.1), range(300), RAY):
        found.append(result)
        if len(found) == 150:
            cluster.remove_node(third, allow_graceful=False)
    assert [square for square, _ in found] == [number**2 for number in range(300)]
    assert len({process for _, process in found}) >= 5, "the third had begun"
