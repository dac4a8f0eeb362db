"""What the stages cost as the shop grows: memory that fits, time that grows as the shop does."""

from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.scale import STAGES, Cost, exponent, run_changed, run_size

SMALLER, LARGER = 12_500, 50_000
MEMORY_GB = 2.0  # at 50,000 items; a stage that needs more would not fit 6 GB at a million
MOST_EXPONENT = 1.2  # between two runs on a machine that does other work too
MOST_CHANGED = 0.35  # of what ingest costs, after one item in a hundred changed


def costs_of(folder: Path, size: int) -> dict[tuple[str, str], Cost]:
    options = Namespace(no_pictures=False, stages=STAGES, changed=[], memory=MEMORY_GB)
    root = folder / str(size)
    root.mkdir()
    found = run_size(root, size, options)
    again = Namespace(no_pictures=False, stages=["ingest"], changed=[], memory=MEMORY_GB)
    if size == LARGER:
        found += run_changed(root, size, again)
    return {(cost.stage, cost.changed): cost for cost in found}


@pytest.mark.slow
def test_stages_fit_in_memory_and_grow_as_the_shop_does(tmp_path: Path):
    smaller, larger = costs_of(tmp_path, SMALLER), costs_of(tmp_path, LARGER)
    assert {stage for stage, changed in larger if not changed} == {"shop", *STAGES}
    for key, cost in larger.items():
        assert not cost.is_killed, cost
        if key in smaller and key[0] != "shop":
            assert exponent(smaller[key], cost, "cpu_s") <= MOST_EXPONENT, (smaller[key], cost)
    full, changed = larger["ingest", ""], larger["ingest", "both"]
    assert changed.cpu_s <= MOST_CHANGED * full.cpu_s, (full, changed)
