"""Arrays in files without a name."""

from pathlib import Path

import numpy as np
import pytest

from smar.scratch import written


@pytest.mark.parametrize("sizes", [[5], [0], [3, 0, 4, 1], [0, 0]])
@pytest.mark.parametrize("width", [0, 3])
def test_blocks_come_one_after_the_other(tmp_path: Path, sizes: list[int], width: int):
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(size, width)) for size in sizes]
    found = written(tmp_path / "new", np.float32, iter(blocks))
    assert found.dtype == np.float32
    assert found.tolist() == np.concatenate(blocks).astype(np.float32).tolist()
    assert found.shape == (sum(sizes), width)
    assert found.flags.c_contiguous
    found[...] = 1  # it is the caller's own
    assert not [*(tmp_path / "new").iterdir()]
