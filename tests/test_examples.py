"""The example parameter files name keys that exist and values that are allowed."""

import copy
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from smar.params import check_params

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.args"))


def apply(content: dict[str, Any], override: str) -> None:
    """Set one value as `dvc exp run -S` does; `++` may add a key, others must exist."""
    key, _, value = override.partition("=")
    *parts, last = key.removeprefix("++").split(".")
    for part in parts:
        content = content[part]
    assert key.startswith("++") or last in content, f"{key} is not in params.yaml"
    content[last] = yaml.safe_load(value.strip("'"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_gives_valid_parameters(example: Path):
    content = copy.deepcopy(yaml.safe_load((ROOT / "params.yaml").read_text()))
    words = shlex.split(example.read_text())
    assert words[::2] == ["-S"] * (len(words) // 2)
    for override in words[1::2]:
        apply(content, override)
    params = check_params(content, example.name)
    assert (params.ingest.source == "feed") == (example.parent.name == "examples")
    images, tower = params.ingest.images, params.model.image
    assert images.height % tower.patch == 0
    assert images.width % tower.patch == 0
