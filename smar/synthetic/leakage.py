"""Whether a text that was held out is also trained on."""

import pandas as pd

from smar.checks import Checked

_SHOWN = 20


def leaked_texts(queries: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, list[str]]:
    """Return the query texts that are in two splits at once, sorted, by "split and split".

    A judged test text may also be a logged one, since shoppers type it too; it must not be among
    the synthetic training pairs, nor a validation text among anything that is trained on.

    Args:
        queries: Query table (`schema.QUERIES`).
        synthetic: Synthetic pairs (`schema.SYNTHETIC`).
    """
    logged = {split: set(rows["query"]) for split, rows in queries.groupby("split")}
    made = {split: set(rows["query"]) for split, rows in synthetic.groupby("split")}
    held_out = logged.get("validation", set()) | logged.get("test", set())
    pairs = {
        "validation and test": logged.get("validation", set()) & logged.get("test", set()),
        "validation and train": logged.get("validation", set()) & logged.get("train", set()),
        "held-out and synthetic train": held_out & made.get("train", set()),
        "synthetic validation and synthetic train": made.get("validation", set())
        & made.get("train", set()),
    }
    return {name: sorted(texts) for name, texts in pairs.items()}


def check_leakage(queries: pd.DataFrame, synthetic: pd.DataFrame) -> Checked:
    """Return whether no text is in two splits at once; arguments as `leaked_texts`."""
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
        text=f"{'; '.join(seen)}. {step}" if seen else "no text is in two splits",
        figures={splits: len(texts) for splits, texts in leaked.items()},
        rows=[{"splits": s, "query": q} for s, texts in leaked.items() for q in texts][:_SHOWN],
    )
