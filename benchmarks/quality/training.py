"""The part of training that all peers have in common."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quality.shop import SEED, Budget
from smar.train.dataset import TrainingData
from smar.train.pairs import Pairs

SYNTHETIC_SHARE = 0.25
"""Share of the budget in which half of the pairs are synthetic, as in smar's pre-training."""


@dataclass(frozen=True)
class Batch:
    """Pairs of a step: rows of queries and items, each once, and the grades, all [B]."""

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    grade: NDArray[np.float64]


def batches(data: TrainingData, size: int, budget: Budget) -> Iterator[Batch]:
    """Yield steps without repeated queries or equal items until the budget is used up."""
    rng = np.random.default_rng(SEED)
    with tqdm(total=100, unit="%", desc="training") as bar:
        while (used := budget.used) < 1:
            bar.update(int(100 * used) - bar.n)
            parts = [(data.real, size)]
            if not len(data.real):
                parts = [(data.synthetic, size)]
            elif used < SYNTHETIC_SHARE and len(data.synthetic) > 0:
                parts = [(data.real, size // 2), (data.synthetic, size // 2)]
            yield _unique(data, parts, rng)


def _unique(data: TrainingData, parts: list[tuple[Pairs, int]], rng: np.random.Generator) -> Batch:
    query: list[NDArray[np.int64]] = []
    item: list[NDArray[np.int64]] = []
    grade: list[NDArray[np.float64]] = []
    for pairs, number in parts:
        drawn = rng.integers(len(pairs), size=number)
        query.append(pairs.query[drawn].astype(np.int64))
        item.append(pairs.item_of(drawn))
        grade.append(pairs.grade_of(drawn))
    queries, items, grades = np.concatenate(query), np.concatenate(item), np.concatenate(grade)
    kept = np.intersect1d(
        np.unique(queries, return_index=True)[1],
        np.unique(data.group[items], return_index=True)[1],
    )
    return Batch(queries[kept], items[kept], grades[kept])


def fit(
    model: torch.nn.Module,
    loss_of: Callable[[Batch], torch.Tensor],
    data: TrainingData,
    *,
    size: int,
    learning_rate: float,
    processor_s: float,
) -> tuple[float, float]:
    """Train with AdamW, a tenth of warm-up and a linear fall to nothing; return the time spent."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    budget = Budget(processor_s)
    for batch in batches(data, size, budget):
        used = budget.used
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * max(0.01, min(used / 0.1, (1 - used) / 0.9))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return budget.spent
