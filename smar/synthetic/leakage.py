"""Whether anything that is held out is also trained on, in these words or others of its stems."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.checks import Checked
from smar.data.stems import bag_of_stems
from smar.synthetic.spread_numbers import SpreadNumbers

_SHOWN = 20
_AT_ONCE = 2**20
_OF_MADE = ("held-out and synthetic train", "synthetic validation and synthetic train")
Made = Callable[[], Iterable[pa.RecordBatch]]
"""What gives the synthetic pairs anew, columns query and split of `schema.SYNTHETIC`."""


@dataclass(frozen=True)
class Numbered:
    """Stems as numbers: equal ones have equal numbers, so that pairs whose numbers differ differ.

    Args:
        held_out: Of the stems that are held out, ascending.
        bags: Of each synthetic pair, [P].
        number: Makes the number of stems.
    """

    held_out: NDArray[np.uint64]
    bags: NDArray[np.uint64]
    number: Callable[[str], int]

    def may_leak(self, made: Made) -> bool:
        """Return whether synthetic pairs may be on both sides of a split; False is certain.

        One pair of every batch is looked at by its text: numbers that are not those of the pairs
        prove nothing.
        """
        of_batches, start = [], 0
        for batch in made():
            middle = len(batch) // 2
            if start + len(batch) > len(self.bags):
                return True
            if len(batch):
                text = batch["query"][middle].as_py()
                if self.number(bag_of_stems(text)) != int(self.bags[start + middle]):
                    return True
            of_batches.append(_is_train(batch))
            start += len(batch)
        if start != len(self.bags):
            return True
        train = np.concatenate([np.empty(0, bool), *of_batches])
        apart = np.union1d(self.held_out, self.bags[~train])
        return shares_any(self.bags, train, apart)


def shares_any(
    numbers: NDArray[np.uint64], chosen: NDArray[np.bool_], some: NDArray[np.uint64]
) -> bool:
    """Return whether any chosen number is among some.

    Args:
        numbers: Numbers that are spread over all of 64 bits, [P].
        chosen: Which of them are asked for, [P].
        some: What they are looked for in, ascending.
    """
    there = SpreadNumbers(some)
    parts = (slice(start, start + _AT_ONCE) for start in range(0, len(numbers), _AT_ONCE))
    return any(len(there.those_there(numbers[part][chosen[part]])) for part in parts)


def _is_train(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return which pairs are trained on, [rows]; Arrow's own `to_numpy` loads pandas."""
    found = pc.equal(batch["split"], "train").cast(pa.uint8())
    return np.frombuffer(found.buffers()[1], np.uint8)[: len(batch)].astype(bool)


def leaked_texts(
    queries: pd.DataFrame, made: Made, numbered: Numbered | None = None
) -> dict[str, list[str]]:
    """Return the query texts whose stems are on both sides of a split, sorted, by what leaked.

    Test and validation queries share their stems with nothing that is trained on, logged or made,
    nor with each other. Trial queries, which releases are decided on, may be logged ones: shoppers
    are served with what they taught. They are not made.

    Args:
        queries: Query table (`schema.QUERIES`).
        made: Gives the synthetic pairs, twice; memory holds what is held out and one batch.
        numbered: By which most pairs are known not to leak; None looks at the text of all.
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
    by_text = {text: bag_of_stems(text) for texts in logged.values() for text in texts}
    leaked = {name: _shared(*both, by_text) for name, both in pairs.items()}
    if numbered and not numbered.may_leak(made):
        return leaked | {name: list[str]() for name in _OF_MADE}
    apart_from_made = {
        _OF_MADE[0]: _by_bag(test | trial | validation | apart),
        _OF_MADE[1]: _by_bag(_texts(made(), "validation")),
    }
    found = {name: set[str]() for name in apart_from_made}
    for text in _texts(made(), "train"):
        bag = bag_of_stems(text)
        for name, by_bag in apart_from_made.items():
            found[name].update(by_bag.get(bag, ()))
    return leaked | {name: sorted(texts) for name, texts in found.items()}


def check_leakage(queries: pd.DataFrame, made: Made, numbered: Numbered | None = None) -> Checked:
    """Return whether nothing held out is trained on by its stems; arguments as `leaked_texts`."""
    leaked = leaked_texts(queries, made, numbered)
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


def _shared(held_out: set[str], trained: set[str], by_text: Mapping[str, str]) -> list[str]:
    """Return the held-out texts whose bag of stems a trained text has, sorted."""
    asked = {by_text[text] for text in held_out}
    bags = asked.intersection(by_text[text] for text in trained)
    return sorted(text for text in held_out if by_text[text] in bags) if bags else []
