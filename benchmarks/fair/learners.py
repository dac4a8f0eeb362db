"""A system that learns: what the fair study asks of each, and smar's towers in two forms.

Shapes: Q queries, N items, D embedding length.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.fair.given import Given, part_of
from benchmarks.fair.space import Settings
from benchmarks.starts import train
from smar.losses import build_loss
from smar.models.embeddings import ItemEmbeddings, QueryEmbeddings
from smar.models.encode import encode_items, encode_queries
from smar.seeding import seed_torch
from smar.train.course import finetune_course, pretraining_weights
from smar.train.prepare import build_sampler
from smar.train.step import pretrain_step

_BATCH = 256
_ONE_LOSS: dict[str, object] = {
    "pretrain.alpha": 0.0,
    "pretrain.beta": 0.0,
    "finetune.gated": 0.0,
    "finetune.alpha": 0.0,
    "finetune.beta": 0.0,
    "finetune.gamma": 1.0,
    "gate.kind": "always",
}


class Learner(ABC):
    """A system before and after training.

    Args:
        given: What every system gets.
        settings: Of the trial.
        seed: Of weights and batches.
    """

    def __init__(self, given: Given, settings: Settings, seed: int) -> None:
        self.given, self.settings, self.seed = given, settings, seed

    @abstractmethod
    def fit(self, seconds: float) -> int:
        """Train for so many seconds of processor and return the steps."""

    @abstractmethod
    def items(self, rows: NDArray[np.int64] | None) -> ItemEmbeddings:
        """Return the vectors of some items, or of all; `text` and `multimodal` are searched."""

    @abstractmethod
    def queries(self, texts: Sequence[str]) -> QueryEmbeddings:
        """Return queries as they are searched with."""

    def settle(self) -> None:  # noqa: B027 - most have nothing to settle
        """Do what follows training and is no training of the towers; nothing by default."""


class Smar(Learner):
    """smar: towers, fusion, tasks and clicks, all as its stages do it.

    With side tasks those of text and picture stand beside the multimodal one and clicks teach a
    header, by which trials answer; `settle` puts the gate in its place that ships. Without them S_m
    alone learns and answers.
    """

    def __init__(self, given: Given, settings: Settings, seed: int) -> None:
        super().__init__(given, settings, seed)
        self.params = given.params(settings, self.own(settings))
        seed_torch(seed)
        self.model = given.towers(self.params)
        if not self.params.finetune.gated:
            self.model.set_gate("always")
        self.searched = given.searched(self.params)

    def own(self, settings: Settings) -> dict[str, object]:
        """Return the settings that the others lack, by dotted key."""
        form = _form(settings, settings["fusion"])
        if not settings["side_tasks"]:
            return form | _ONE_LOSS
        kept = (f"finetune.{task}" for task in ("alpha", "beta", "gamma"))
        return form | {
            "pretrain.beta": settings["image_task"],
            **dict.fromkeys(kept, settings["kept_tasks"]),
        }

    def fit(self, seconds: float) -> int:
        """Train for so many seconds of processor and return the steps."""
        given, params = self.given, self.params
        loss = build_loss(params.loss)
        weights = pretraining_weights(params.pretrain, is_learned=False)
        clicks = finetune_course(params.finetune, loss, is_learned=False).phases[0].step
        parts = (
            (given.data, params.pretrain, params.pretrain.real_frac, pretrain_step(weights, loss)),
            (given.clicks, params.finetune, 1.0, clicks),
        )
        steps, makers = 0, given.makers_of(self.model, self.searched)
        for number, (data, settings, real_frac, step) in enumerate(parts):
            share = self.settings["synthetic_share"]
            sampler = build_sampler(data, settings, real_frac, self.seed + number)
            time_s = seconds * (1 - share if number else share)
            steps += train(self.model, sampler, makers[number], step, settings, time_s)
        given.tell(self.model, self.searched)
        return steps

    def settle(self) -> None:
        """Put the gate that ships in the header's place."""
        self.given.settle(self.model, self.params, self.seed, self.searched)

    def items(self, rows: NDArray[np.int64] | None) -> ItemEmbeddings:
        """Return S_t, S_i and S_m."""
        return encode_items(self.model, part_of(self.given.items, rows), self.given.images, _BATCH)

    def queries(self, texts: Sequence[str]) -> QueryEmbeddings:
        """Return queries with their gates."""
        return encode_queries(self.model, texts)


class Gcl(Smar):
    """GCL's form on smar's towers: fields averaged, one loss, pairs weighted by their grade.

    Tokenizer, towers, pairs, misspellings and what may stand as a negative are smar's; gone are
    cross-attention, the tasks of text and picture alone, and the gate.
    """

    def own(self, settings: Settings) -> dict[str, object]:
        """Return the settings that make smar's model GCL's, by dotted key."""
        return _form(settings, "late_mean") | {
            **_ONE_LOSS,
            "loss.kind": "gcl",
            "loss.gcl.power": settings["power"],
            "finetune.searched_words": 0,
        }

    def settle(self) -> None:
        """Leave all as it is."""


def _form(settings: Settings, fusion: str) -> dict[str, object]:
    """Return how smar's towers are joined, by dotted key."""
    return {
        "model.shared_tower": settings["one_tower"],
        "model.fusion": fusion,
        "fusion.late_mean.image_share": settings["picture"],
    }
