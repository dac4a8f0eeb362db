"""Whether a text that was held out is also trained on."""

import pandas as pd


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
