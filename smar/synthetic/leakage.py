"""Whether anything that is held out is also trained on, in these words or others of its stems."""

import pandas as pd

from smar.checks import Checked
from smar.data.stems import bag_of_stems

_SHOWN = 20


def leaked_texts(queries: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, list[str]]:
    """Return the query texts whose stems are on both sides of a split, sorted, by what leaked.

    Test and validation queries share their stems with nothing that is trained on, logged or made,
    nor with each other. Trial queries, which releases are decided on, may be logged ones: shoppers
    are served with what they taught. They are not made.

    Args:
        queries: Query table (`schema.QUERIES`).
        synthetic: Synthetic pairs (`schema.SYNTHETIC`).
    """
    logged = {split: set(rows["query"]) for split, rows in queries.groupby("split")}
    made = {split: set(rows["query"]) for split, rows in synthetic.groupby("split")}
    none: set[str] = set()
    train, validation, test, trial, apart = (
        logged.get(split, none) for split in ("train", "validation", "test", "trial", "apart")
    )
    pairs = {
        "test and train": (test, train),
        "test and validation": (test, validation),
        "validation and train": (validation, train),
        "validation and trial": (validation, trial),
        "held-out and synthetic train": (
            test | trial | validation | apart,
            made.get("train", none),
        ),
        "synthetic validation and synthetic train": (
            made.get("validation", none),
            made.get("train", none),
        ),
    }
    return {name: _shared(held_out, trained) for name, (held_out, trained) in pairs.items()}


def check_leakage(queries: pd.DataFrame, synthetic: pd.DataFrame) -> Checked:
    """Return whether nothing held out is trained on by its stems; arguments as `leaked_texts`."""
    leaked = leaked_texts(queries, synthetic)
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


def _shared(held_out: set[str], trained: set[str]) -> list[str]:
    """Return the held-out texts whose bag of stems a trained text has, sorted."""
    bags = {bag_of_stems(text) for text in trained}
    return sorted(text for text in held_out if bag_of_stems(text) in bags)
