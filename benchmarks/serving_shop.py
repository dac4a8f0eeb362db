"""A project to serve: a release of any number of made-up items, without any training.

The items are those of `benchmarks.scale_shop`, with a small picture each, and the model is the
project's current release's, which has not seen them: what its query tower makes of an item's title
stands for S_t, and the same with noise for S_m, so that queries have near and far items. The same
arguments give the same release. N items.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import scale_shop as shop
from smar.artifacts import Manifest, digest, read_manifest, write_directory
from smar.data import images, schema
from smar.data.text import item_codes, item_texts
from smar.index.ann import gated_items, gated_queries
from smar.index.building import build_index
from smar.index.hybrid import HybridIndex, write_index
from smar.index.relevance import Calibration
from smar.index.words import WordIndex
from smar.models.io import load_model
from smar.models.onnx import proven_queries
from smar.models.onnx_graph import write_query_graph
from smar.params import load_params
from smar.seeding import generator
from smar.service import registry
from smar.service.suggestions import FILE, build_suggestions, write_suggestions
from smar.service.towers import GRAPH

_BLOCK = 4096
_NOISE = 0.1
_SAMPLED = 500
_QUERIES = 5000
_PICTURE = (8, 6)  # height, width
_CALIBRATION = Calibration((8.0, -2.0), (-2.0, 8.0), (0.02, 0.98), 0.2, "made up")


def build_project(source: Path, root: Path, num_items: int, seed: int = 7) -> None:
    """Write a project with one release, its pictures, and queries.json to search it with.

    Args:
        source: A project whose current release gives the model and its words' share.
        root: The project to make; new.
        num_items: N.
        seed: Of all that is random.
    """
    release = registry.find_release(source, registry.AUTO)
    if release is None:
        raise SystemExit(f"{source}: has no release whose model could encode. Run `dvc repro`.")
    root.mkdir(parents=True)
    shutil.copy(source / "params.yaml", root)
    items = shop.make_catalogue(num_items, seed)
    frame = _frame(items)
    rng = generator(seed, "serving", "queries")
    wanted = (rng.random(_QUERIES) ** 1.3 * num_items).astype(np.int64)
    queries = [shop.query_of(items, int(i), float(rng.random())) for i in wanted]
    (root / "queries.json").write_text(json.dumps(queries))
    _write_pictures(root, frame, seed)
    (root / "releases").mkdir()

    def fill(folder: Path) -> None:
        shutil.copytree(release / "model", folder / "model")
        schema.write_table(folder / "items.parquet", frame, schema.ITEMS)
        pictures = pq.read_table(root / "data/images" / images.TABLE, columns=["sha256"])
        pq.write_table(pictures, folder / "pictures.parquet")
        write_suggestions(folder / FILE, build_suggestions(frame))
        share = json.loads((release / "index/manifest.json").read_text())["details"]["word_share"]
        write_query_graph(load_model(folder / "model"), folder / GRAPH)
        _write_index(folder, frame, queries, share, seed)

    registry.publish(root, fill, Manifest(kind=registry.KIND), expected="")


def give_share(root: Path, share: float) -> None:
    """Have the current release of a project give the words a share, in a release of its own."""
    now = registry.current_version(root)
    source = root / "releases" / now
    index = HybridIndex.load(source / "index")
    if index.word_share == share:
        return

    def fill(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink()
        shutil.rmtree(folder / "index")
        manifest = Manifest(kind="index", details={"model_sha": digest(folder / "model")})
        write_index(folder / "index", replace(index, word_share=share, unseen=None), manifest)

    registry.publish(root, fill, read_manifest(source, registry.KIND), expected=now)


def _frame(items: shop.Catalogue) -> pd.DataFrame:
    """Return the items as ingest would, with columns to filter and count by."""
    rng = generator(0, "serving", "items")
    price = rng.lognormal(3, 0.6, len(items)).round(2)
    in_stock = rng.random(len(items)) < 0.9
    columns: dict[str, Any] = dict.fromkeys(schema.ITEMS.names, "")
    texts: dict[str, list[str]] = {
        "title": [],
        "description": [],
        "brand": [],
        "category": [],
        "attributes": [],
    }
    for item in range(len(items)):
        noun, brand = items.noun(item), items.brand_of(item)
        look, colour = shop._LOOKS[items.look[item]], shop._COLOURS[items.colour[item]]
        department = shop._DEPARTMENTS[items.kind[item] % len(shop._DEPARTMENTS)]
        of_item = (
            shop.title_of(items, item),
            f"{look.capitalize()} {noun} in {colour} by {brand}. Ready to ship.",
            brand,
            sys.intern(f"{department} > {noun.capitalize()}"),
            sys.intern(f"colour: {colour}; look: {look}"),
        )
        for column, text in zip(texts.values(), of_item, strict=True):
            column.append(text)
    columns |= texts | {
        "item_id": [shop.item_id(item) for item in range(len(items))],
        "price": price,
        "price_max": None,
        "currency": "EUR",
        "sale_price": None,
        "sale_from": pd.NaT,
        "sale_to": pd.NaT,
        "availability": np.where(in_stock, "in_stock", "out_of_stock"),
        "image_ids": [[item] for item in range(len(items))],
    }
    return pd.DataFrame(columns, columns=schema.ITEMS.names)


def _write_pictures(root: Path, frame: pd.DataFrame, seed: int) -> None:
    """Write a picture store with one small picture an item."""
    height, width = _PICTURE
    rng = generator(seed, "serving", "pictures")
    manifest = Manifest(kind=images.KIND, details={"height": height, "width": width})
    with write_directory(root / "data/images", manifest) as folder:
        table = pd.DataFrame(
            {
                "image_id": np.arange(len(frame)),
                "sha256": [f"{number:064x}" for number in range(len(frame))],
                "source": frame["item_id"],
                "width": width,
                "height": height,
                "shard": [f"{row // _BLOCK:04d}.npy" for row in range(len(frame))],
                "place": np.arange(len(frame)) % _BLOCK,
            }
        )
        table.to_parquet(folder / images.TABLE, index=False)
        for start in range(0, len(frame), _BLOCK):
            shape = (min(_BLOCK, len(frame) - start), height, width, 3)
            pixels = rng.integers(256, size=shape, dtype=np.uint8)
            np.save(folder / f"{start // _BLOCK:04d}.npy", pixels)


def _write_index(
    folder: Path, frame: pd.DataFrame, queries: list[str], word_share: float, seed: int
) -> None:
    """Write the index of a release whose model is there, as the stage `index` would choose it."""
    tower = proven_queries(folder / "model", folder / GRAPH)
    params = load_params(folder.parents[1] / "params.yaml").index
    titles = list(frame["title"])
    blocks = (titles[start : start + _BLOCK] for start in range(0, len(titles), _BLOCK))
    text = np.concatenate([tower.encode(block).vector for block in blocks])
    # In place: each of these arrays is 768 MB for a million items.
    noise = generator(seed, "serving", "vectors").standard_normal(text.shape, np.float32)
    _make_unit(noise)
    noise *= _NOISE
    noise += text
    _make_unit(noise)
    vectors = gated_items(text, noise, folder)
    del text, noise

    def sample() -> NDArray[np.float32]:
        encoded = tower.encode(queries[:_SAMPLED])
        return gated_queries(encoded.vector, encoded.gate)

    ids = list(frame["item_id"])
    words = WordIndex.build(item_texts(frame), item_codes(frame))
    found = build_index(vectors, ids, params, sample)
    manifest = Manifest(kind="index", details={"model_sha": digest(folder / "model")})
    write_index(folder / "index", HybridIndex(found, words, word_share, _CALIBRATION), manifest)


def _make_unit(vectors: NDArray[np.float32]) -> None:
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
