"""What a slip, or another ending, costs a search, with its words mended and without.

    python -m benchmarks.slips --root . --seeds 0 1 2 7

Of each query set that has judgements or clicks: relevant items wanted among the first ten and not
there, of the queries as they are, of each with one slip of the keyboard (`data/misspell.py`, one
draw a seed), and of each in the other number ("lamps" for "lamp", its last word). Then CPU
microseconds a query of mending alone, over a made vocabulary of so many words.
"""

import argparse
import random
import string
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from smar.data.misspell import misspell
from smar.index.hybrid import HybridIndex
from smar.index.spelling import Spelling
from smar.index.words import WordIndex
from smar.judging.runs import QuerySet
from smar.judging.shop_sets import ShopSets
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries
from smar.models.io import load_model
from smar.params import load_params
from smar.paths import Paths

_TOP = 10
_VOCABULARIES = (10_000, 100_000, 1_000_000)
_TIMED = 200  # misspelled words, each another
_SHOWN = 20  # queries that are read as something else


def misses(index: HybridIndex, model: DualEncoder, queries: QuerySet, texts: list[str]) -> int:
    """Return the relevant items that are wanted among the first ten and not there."""
    read = index.read(texts)
    rows = index.search(read, encode_queries(model, read), _TOP)[1]
    relevant = queries.relevant.toarray() > 0
    found = np.take_along_axis(relevant, rows, 1).sum(1)
    return int((np.minimum(relevant.sum(1), _TOP) - found).sum())


def in_other_number(text: str) -> str:
    """Return a query whose last word is one for many, or many for one."""
    *before, last = text.split()
    if last.endswith("ies") and len(last) > 4:
        other = last[:-3] + "y"
    elif last.endswith(("ses", "xes", "ches", "shes")):
        other = last[:-2]
    elif last.endswith("s") and not last.endswith("ss"):
        other = last[:-1]
    elif last.endswith(("s", "x", "ch", "sh")):
        other = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        other = last[:-1] + "ies"
    else:
        other = last + "s"
    return " ".join([*before, other])


def report(root: Path, seeds: list[int]) -> None:
    """Print the misses of every set, as typed and mended."""
    paths = Paths(root)
    params = load_params(paths.params)
    mended, model = HybridIndex.load(paths.index), load_model(paths.retriever)
    typed = replace(mended, spelling=None)
    shop = ShopSets.read(paths, mended.item_ids, params.evaluate.relevant_grade, params.seed)
    for queries in shop.sets:
        if not len(queries) or queries.name == "synthetic":
            continue
        asked = {"as they are": queries.texts}
        for seed in seeds:
            rng = random.Random(seed)  # noqa: S311 - nothing secret
            asked[f"one slip, seed {seed}"] = [misspell(text, rng) for text in queries.texts]
        asked["other number"] = [in_other_number(text) for text in queries.texts]
        for name, texts in asked.items():
            counts = [misses(index, model, queries, texts) for index in (typed, mended)]
            told = f"typed {counts[0]:6} mended {counts[1]:6}"
            print(f"{queries.name:10} {len(queries):5} {name:20} {told}", flush=True)
        read = mended.read(queries.texts)
        changed = [pair for pair in zip(queries.texts, read, strict=True) if pair[0] != pair[1]]
        print(f"{queries.name:10} {len(queries):5} read as something else: {len(changed)}")
        for one, other in changed[:_SHOWN]:
            print(f"    {one} -> {other}")


def clock() -> None:
    """Print CPU microseconds of mending a word, by the number of words that are known."""
    rng = random.Random(7)  # noqa: S311 - nothing secret
    for size in _VOCABULARIES:
        lengths = [rng.randint(4, 11) for _ in range(size)]
        known = {"".join(rng.choices(string.ascii_lowercase, k=length)) for length in lengths}
        spelling = Spelling(dict.fromkeys(known, 1), WordIndex.build(["lamp"]))
        slips = [misspell(word, rng) for word in rng.sample(sorted(known), _TIMED)]
        first = timed(spelling, ["zzzz"]) * 1e3  # it makes what the others use
        new, again = (timed(spelling, slips) * 1e6 / len(slips) for _ in range(2))
        told = (
            f"the first word {first:.0f} ms, a new one {new:.0f} us, one met before {again:.1f} us"
        )
        print(f"{len(known):,} words: {told}", flush=True)


def timed(spelling: Spelling, texts: list[str]) -> float:
    """Return the CPU seconds that reading takes."""
    start = time.process_time()
    for text in texts:
        spelling.read(text)
    return time.process_time() - start


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 7])
    options = parser.parse_args()
    report(options.root, options.seeds)
    clock()


if __name__ == "__main__":
    main()
