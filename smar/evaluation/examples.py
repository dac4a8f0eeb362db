"""Queries with the pictures that came back: where they helped, where they cost, and others."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from smar.data.images import ImageStore
from smar.evaluation.systems import HYBRID, LABELS, SetResult
from smar.judging.metrics import score_run
from smar.judging.runs import grades_of
from smar.pages.gallery import Example, Group, Strip, Tile, item_tile
from smar.params import EvaluateParams
from smar.seeding import generator

_SHOWN = 8


@dataclass(frozen=True)
class Catalogue:
    """What tiles are made of.

    Args:
        items: Item table (`schema.ITEMS`).
        images: Picture store.
    """

    items: pd.DataFrame
    images: ImageStore

    def tile(self, row: int, grade: float | None, relevant_grade: int, note: str) -> Tile:
        """Return the tile of an item; its grade decides frame and badge (None: not judged)."""
        item = self.items.iloc[row]
        ids = item["image_ids"]
        return item_tile(
            item.to_dict(),
            self.images.read(np.asarray(ids[:1]))[0] if len(ids) else None,
            badge=f"grade {grade:g}" if grade else "",
            relevant=None if grade is None else grade >= relevant_grade,
            note=note,
        )


def chosen_examples(
    result: SetResult, catalogue: Catalogue, params: EvaluateParams, seed: int
) -> list[Group]:
    """Return queries where the picture helped most, where it cost most, lost ones and others.

    Helped and cost are told by nDCG over the results that are shown, so that what changed is seen.
    """
    shown = {
        system: score_run(result.runs[system], result.queries, [_SHOWN])[f"ndcg@{_SHOWN}"]
        for system in (HYBRID, "text")
    }
    gain = shown[HYBRID] - shown["text"]
    found = result.values[HYBRID][params.primary]
    each = max(1, params.examples // 4)
    order = np.argsort(-gain, kind="stable")
    helped = [int(row) for row in order[:each] if gain[row] > 0]
    hurt = [int(row) for row in order[::-1][:each] if gain[row] < 0]
    rng = generator(seed, "examples")
    shuffled = rng.permutation(len(found))
    lost = [int(row) for row in shuffled if found[row] == 0][:each]
    taken = {*helped, *hurt, *lost}
    others = [int(row) for row in shuffled if row not in taken][:each]
    kinds = (
        (
            "Where picture and words helped most",
            f"Largest gain in nDCG@{_SHOWN} over the text vector alone.",
            helped,
        ),
        (
            "Where they cost most",
            f"Largest loss in nDCG@{_SHOWN} against the text vector alone.",
            hurt,
        ),
        ("Found nothing right", "No relevant item among the results that count.", lost),
        ("Drawn at random", "", others),
    )
    return [
        Group(
            heading,
            note,
            [_example(result, row, catalogue, params) for row in rows],
            is_open=heading == kinds[0][0],
        )
        for heading, note, rows in kinds
        if rows
    ]


def _example(result: SetResult, row: int, catalogue: Catalogue, params: EvaluateParams) -> Example:
    strips = []
    for system in (HYBRID, "text"):
        run = result.runs[system]
        grades = grades_of(run, result.queries)[row]
        tiles = [
            catalogue.tile(
                int(item),
                float(grades[rank]),
                result.queries.relevant_grade,
                f"rank {rank + 1}, score {run.scores[row, rank]:.3f}",
            )
            for rank, item in enumerate(run.rows[row, :_SHOWN])
            if item >= 0
        ]
        value = result.values[system][params.primary][row]
        strips.append(Strip(LABELS[system], f"{params.primary} {value:.2f}", tiles))
    strips.append(_wanted(result, row, catalogue))
    searches = int(result.queries.num_searches[row])
    note = f"searched {searches} {'time' if searches == 1 else 'times'} in the log"
    return Example(result.queries.texts[row], note, float(result.gate[row]), strips)


def _wanted(result: SetResult, row: int, catalogue: Catalogue) -> Strip:
    """Return the relevant items with the rank at which search found them, best grade first."""
    grades = result.queries.qrels[[row]].tocoo()
    found, by_text = (
        {int(item): rank + 1 for rank, item in enumerate(result.runs[system].rows[row])}
        for system in (HYBRID, "text")
    )
    least = result.queries.relevant_grade
    pairs = sorted(zip(-grades.data, grades.col, strict=True))
    relevant = [(int(item), -float(grade)) for grade, item in pairs if -grade >= least]
    tiles = []
    for item, grade in relevant[:_SHOWN]:
        note = f"rank {found.get(item, 'none')}, by text {by_text.get(item, 'none')}"
        tiles.append(catalogue.tile(item, grade, least, note))
    return Strip("relevant", f"{min(len(relevant), _SHOWN)} of {len(relevant)} items", tiles)
