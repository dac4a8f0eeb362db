"""`smar embed` after 1 % of the items changed, against encoding all of them: whole processes.

Makes a project of its own in a temporary folder, with an untrained model of the default size (speed
does not depend on the weights). Run with `python -m benchmarks.embed_incremental`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml

from smar.artifacts import Manifest
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.text import item_texts
from smar.models.dual_encoder import build_model
from smar.models.io import KIND, save_model
from smar.params import load_params
from smar.paths import Paths
from smar.train.prepare import build_tokenizers

ROOT = Path(__file__).parent.parent


def smar(root: Path, stage: str) -> float:
    """Run a stage as a process of its own and return its seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "smar", stage, "--root", str(root), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)
    return time.perf_counter() - start


def make_project(root: Path, num_items: int) -> None:
    """Write tables, pictures and an untrained model."""
    shutil.copy(ROOT / "params.yaml", root)
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["ingest"]["demo"] = {"num_items": num_items, "num_searches": 1000}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    smar(root, "ingest")
    smar(root, "validate")
    params, paths = load_params(root / "params.yaml"), Paths(root)
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.open(paths.images)
    torch.manual_seed(0)
    query_tokenizer, text_tokenizer = build_tokenizers(params.model, [], item_texts(items))
    model = build_model(
        params.model,
        query_tokenizer=query_tokenizer,
        text_tokenizer=text_tokenizer,
        picture_size=(images.height, images.width),
    )
    save_model(model, paths.retriever, Manifest(kind=KIND))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    num_items = parser.parse_args().items
    with TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, num_items)
        seconds = {"all": smar(root, "embed")}
        seconds["none"] = smar(root, "embed")
        path = Paths(root).items
        items = schema.read_table(path, schema.ITEMS)
        items.loc[: num_items // 100 - 1, "title"] += " new"
        schema.write_table(path, items, schema.ITEMS)
        seconds["one_percent"] = smar(root, "embed")
        figures = json.loads(Paths(root).outcome("embed").read_text())
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    ratio = round(seconds["one_percent"] / seconds["all"], 3)
    print(
        json.dumps({"items": num_items, **rounded, "ratio": ratio, "encoded": figures["encoded"]})
    )


if __name__ == "__main__":
    main()
