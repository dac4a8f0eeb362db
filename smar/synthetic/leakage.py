"""Whether anything that is held out is also trained on, in these words or others of its stems."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.checks import Checked
from smar.data.stems import bag_of_stems

_SHOWN = 20
Made = Callable[[], Iterable[pa.RecordBatch]]
"""What gives the synthetic pairs anew, columns query and split of `schema.SYNTHETIC`."""


def leaked_texts(queries: pd.DataFrame, made: Made) -> dict[str, list[str]]:
    """Return the query texts whose stems are on both sides of a split, sorted, by what leaked.

    Test and validation queries share their stems with nothing that is trained on, logged or made,
    nor with each other. Trial queries, which releases are decided on, may be logged ones: shoppers
    are served with what they taught. They are not made.

    Args:
        queries: Query table (`schema.QUERIES`).
        made: Gives the synthetic pairs, twice; memory holds what is held out and one batch.
    """
    logged = {split: set(rows["query"]) for split, rows in queries.groupby("split")}
    none: set[str] = set()
    train, validation, test, trial, apart = (
        logged.get(split, none) for split in ("train", "validation", "test", "trial", "apart")
    )
    pairs = {
        "test and train": (test, train),
        "test and validation": (test, validation),
        "validation and train": (validation, train),
        "validation and trial": (validation, trial),
    }
    leaked = {name: _shared(held_out, trained) for name, (held_out, trained) in pairs.items()}
    apart_from_made = {
        "held-out and synthetic train": _by_bag(test | trial | validation | apart),
        "synthetic validation and synthetic train": _by_bag(_texts(made(), "validation")),
    }
    found = {name: set[str]() for name in apart_from_made}
    for text in _texts(made(), "train"):
        bag = bag_of_stems(text)
        for name, by_bag in apart_from_made.items():
            found[name].update(by_bag.get(bag, ()))
    return leaked | {name: sorted(texts) for name, texts in found.items()}


def check_leakage(queries: pd.DataFrame, made: Made) -> Checked:
    """Return whether nothing held out is trained on by its stems; arguments as `leaked_texts`."""
    leaked = leaked_texts(queries, made)
    seen = [
        f"{len(texts)} texts in {splits} (first: '{texts[0]}')"
        for splits, texts in leaked.items()
        if texts
    ]
    step = (
        "A figure measured on them would be too good. Split the queries again: `dvc repro -f "
        "ingest` and then `dvc repro`"
    )
    return Checked(
        name="splits_do_not_leak",
        passed=not seen,
        text=f"{'; '.join(seen)}. {step}" if seen else "no stems are on both sides of a split",
        figures={splits: len(texts) for splits, texts in leaked.items()},
        rows=[{"splits": s, "query": q} for s, texts in leaked.items() for q in texts][:_SHOWN],
    )


def _texts(batches: Iterable[pa.RecordBatch], split: str) -> Iterable[str]:
    """Yield the texts of a split, those of one batch once each."""
    for batch in batches:
        of_split = batch["query"].filter(pc.equal(batch["split"], split))
        yield from of_split.unique().to_pylist()


def _by_bag(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return texts by their stems."""
    result: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        result[bag_of_stems(text)].add(text)
    return result


def _shared(held_out: set[str], trained: set[str]) -> list[str]:
    """Return the held-out texts whose bag of stems a trained text has, sorted."""
    bags = {bag_of_stems(text) for text in trained}
    return sorted(text for text in held_out if bag_of_stems(text) in bags)
