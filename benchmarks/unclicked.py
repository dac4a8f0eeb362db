"""What pictures bring to a shop before its first click, half of whose texts leave the colour out.

`python -m benchmarks.unclicked --fashion data/raw/fashion --folder DIR --draws 2 3 4 --seeds 7 8 9`
makes a shop of 2,000 real items for each draw (`unclicked_shop`), runs all stages with the
parameters that ship but for short trainings, and searches for its test queries: as it ships, with
words of pictures by S_i alone, with none, and without pictures at all. nDCG@10 and R@50 with 95 %
intervals over queries, of every shop and of all. A shop that is indexed is only measured again.

Shapes: Q queries.
"""

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.fair.intervals import difference, mean_over
from benchmarks.unclicked_shop import RARE, SETTINGS, write_unclicked
from smar.data import schema
from smar.data.images import ImageStore
from smar.evaluation.baselines import bm25_run
from smar.index.hybrid import HybridIndex
from smar.index.picture_colours import PictureColours
from smar.index.picture_words import Pictured, PictureWord, words_of_pictures
from smar.index.store import EmbeddingStore
from smar.index.words import WordIndex
from smar.judging import sets
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.models.embeddings import QueryEmbeddings
from smar.models.encode import encode_queries
from smar.models.io import load_model
from smar.params import Params, load_params
from smar.paths import Paths
from smar.seeding import generator
from studies.plan import apply_settings

STAGES = ("ingest", "validate", "synthesize", "features", "pretrain", "finetune", "embed", "index")
SHIPS, WITHOUT = "as it ships", "no pictures"
_SIZE, _TOLD = 2000, 0.5
_DEPTH, _RESAMPLES, _FEW = 50, 2000, 10
_METRICS = ("ndcg@10", "recall@50")
_TRAINED = {"steps": 150, "items_per_step": 96, "precision": "float32"}


def make(fashion: Path, root: Path, draw: int, seed: int) -> None:
    """Write a shop and run its stages."""
    write_unclicked(fashion, root / "data/raw", draw, _SIZE, _TOLD)
    trained = {f"{s}.{k}": v for s in ("pretrain", "finetune") for k, v in _TRAINED.items()}
    shipped = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params = apply_settings(shipped, SETTINGS | trained, {"seed": seed, "threads": 1})
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    for stage in STAGES:
        subprocess.run(
            [sys.executable, "-m", "smar", stage, "--root", str(root), "--quiet"], check=True
        )


def measure(root: Path) -> pd.DataFrame:
    """Return a row for each query and system with its metrics and slices."""
    paths, params = Paths(root), load_params(root / "params.yaml")
    items = schema.read_table(paths.items, schema.ITEMS)
    store, index = EmbeddingStore.load(paths.embeddings), HybridIndex.load(paths.index)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    judged = schema.read_table(paths.judgements, schema.JUDGEMENTS)
    test = sets.test_set(queries, judged, store.item_ids, params.evaluate.relevant_grade)
    texts = index.read(test.texts)
    encoded = encode_queries(load_model(paths.retriever), texts)
    blind = QueryEmbeddings(encoded.vector, np.zeros_like(encoded.gate))

    def found(words: WordIndex, queries: QueryEmbeddings) -> Run:
        scores, rows, *_ = replace(index, words=words).search(texts, queries, _DEPTH)
        return Run("search", rows, scores)

    plain = index.words.of_texts()
    runs = {"BM25": bm25_run(plain, test.texts, _DEPTH), WITHOUT: found(plain, blind)}
    runs["no words of pictures"] = found(plain, encoded)
    for name, colours in (("words by S_i alone", None), (SHIPS, _colours(paths, items))):
        told = _told(params, paths, plain, items, store.image, colours)
        runs[name] = found(plain.with_pictured(told), encoded)
    slices = _slices(test, items)
    tables = [
        pd.DataFrame({"query": test.texts, "system": name} | slices)
        .assign(**{metric: score_run(run, test, [10, 50])[metric] for metric in _METRICS})
        for name, run in runs.items()
    ]  # fmt: skip
    return pd.concat(tables)


def _colours(paths: Paths, items: pd.DataFrame) -> NDArray[np.uint8]:
    images = ImageStore.open(paths.images, verify=False)
    return PictureColours.read(images).of_items(items["image_ids"].tolist())


def _told(
    params: Params,
    paths: Paths,
    plain: WordIndex,
    items: pd.DataFrame,
    image: NDArray[np.float32],
    colours: NDArray[np.uint8] | None,
) -> list[PictureWord]:
    log = (
        schema.read_table(paths.queries, schema.QUERIES),
        schema.read_table(paths.engagements, schema.ENGAGEMENTS),
    )
    shop = Pictured.of(image, colours, items, *log)
    return words_of_pictures(plain, shop, params.index.picture_words, params.seed)


def _slices(test: QuerySet, items: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return which queries ask for rare colours, and for types of few items, [Q] each."""
    sizes = items["category"].str.split(" > ").str[-1].str.lower().value_counts()
    asked = [text.partition(" ") for text in test.texts]
    return {
        "rare colour": np.array([colour in RARE for colour, _, _ in asked]),
        "rare type": np.array([sizes.get(kind, 0) <= _FEW for _, _, kind in asked]),
    }


def show(table: pd.DataFrame, title: str) -> None:
    """Print every system's figures, and its difference to the search without pictures."""
    print(f"\n{title}: {table['query'].size // table['system'].nunique()} queries")
    rng = generator(0, "unclicked", "intervals")
    base = table[table["system"] == WITHOUT]
    for name, part in table.groupby("system", sort=False):
        figures = []
        for metric in _METRICS:
            own, other = (each[metric].to_numpy(np.float64)[None] for each in (part, base))
            mean, gap = mean_over(own, _RESAMPLES, rng), difference(own, other, _RESAMPLES, rng)
            figures.append(
                f"{mean.mean:.3f} ({100 * gap.mean:+.1f}: {100 * gap.low:+.1f} to "
                f"{100 * gap.high:+.1f})"
            )
        rare = [f"{part.loc[part[s], 'ndcg@10'].mean():.3f}" for s in ("rare colour", "rare type")]
        print(f"{name:22s} nDCG@10 {figures[0]}  R@50 {figures[1]}  rare {' '.join(rare)}")


def main() -> None:
    """Make what is not there yet, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--draws", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9], help="one for each draw")
    given = parser.parse_args()
    tables = []
    for draw, seed in zip(given.draws, given.seeds, strict=True):
        root = given.folder / f"draw-{draw}-seed-{seed}"
        if not Paths(root).index.is_dir():
            make(given.fashion, root, draw, seed)
        table = measure(root)
        show(table, f"draw {draw}, seed {seed}")
        tables.append(table.assign(query=f"{draw} " + table["query"]))
    show(pd.concat(tables), "all")


if __name__ == "__main__":
    main()
