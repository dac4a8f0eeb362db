"""A small demo shop as ingest leaves it, and what is remembered of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from smar.data import schema
from smar.data.images import ImageStore
from smar.params import ValidateParams, load_params
from smar.paths import Paths
from smar.stages.ingest import run as ingest
from smar.validation.pictures import PictureFacts, read_picture_facts
from smar.validation.previous import Profile
from smar.validation.shop import validate_shop

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shop:
    """What validation reads."""

    root: Path
    tables: dict[str, pa.Table]
    facts: PictureFacts
    pixels: np.ndarray
    params: ValidateParams
    profile: Profile


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("shop")
    shutil.copy(ROOT / "params.yaml", root)
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["ingest"]["demo"] = {"num_items": 240, "num_searches": 900}
    content["ingest"]["images"] = {"height": 40, "width": 32, "max_pixels": 100_000}
    content["model"]["image"]["patch"] = 8
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    ingest(root)
    paths, params = Paths(root), load_params(root / "params.yaml").validate_
    tables = {name: schema.read_arrow(paths.ingested(name)) for name in schema.TABLES}
    store = ImageStore.open(paths.images)
    facts = read_picture_facts(store, 2.0, 2.0)
    outcome = validate_shop(tables, lambda: facts, params, None)
    assert [result.problem() for result in outcome.results if not result.success] == []
    assert outcome.profile is not None
    pixels = store.read(np.arange(len(store)))
    return Shop(root, tables, facts, pixels, params, outcome.profile)
