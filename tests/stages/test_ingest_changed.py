"""A changed shop: what ingest makes of it does not depend on what it had decoded before."""

import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.scale import write_params
from benchmarks.scale_shop import change_shop, write_shop
from smar.data import schema
from smar.data.images import ImageStore
from smar.paths import Paths
from smar.stages.ingest import run

SIZE = 130


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A project that read a shop, and read it again after it changed."""
    root = tmp_path / "grown"
    write_params(tmp_path, pictures=True)
    root.mkdir()
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["ingest"]["images"] |= {"height": 16, "width": 16}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    write_shop(root / "data" / "raw", SIZE, 7)
    run(root)
    change_shop(root / "data" / "raw", SIZE, 7)
    (root / "data" / "raw" / "images" / "0" / "p0000005.jpg").unlink()
    return root


def outputs(root: Path) -> dict[str, str]:
    """Return what ingest wrote, but for the picture store."""
    return {
        str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "reports", "metrics")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
        and not path.is_relative_to(root / "data" / "raw")
        and not path.is_relative_to(Paths(root).images)
    }


@pytest.mark.whole
def test_changed_shop_gives_the_bytes_of_a_first_run(grown: Path, tmp_path: Path):
    fresh = tmp_path / "fresh"
    shutil.copytree(grown, fresh, ignore=shutil.ignore_patterns(".smar", "items.parquet"))
    shutil.rmtree(Paths(fresh).images)
    shards = {path.name for path in Paths(grown).images.glob("*.npy")}
    for root in (grown, fresh):
        run(root)
    assert outputs(grown) == outputs(fresh)
    assert shards < {path.name for path in Paths(grown).images.glob("*.npy")}
    items = schema.read_table(Paths(grown).ingested("items"), schema.ITEMS)
    ids = np.concatenate(items["image_ids"].to_list())
    assert len(ids) == SIZE - 1
    pixels = [ImageStore.open(Paths(root).images).read(ids) for root in (grown, fresh)]
    assert np.array_equal(*pixels)
