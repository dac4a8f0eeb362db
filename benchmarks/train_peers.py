"""Training speed beside sentence-transformers' trainer: pairs a second of processor.

`python -m benchmarks.train_peers` (pip install 'sentence-transformers[train]'): both train the
towers of `params.yaml` (pictures of 80 x 60 in 12 patches) from nothing on the same made pairs, in
float32 with one thread, AdamW and clipping, and take turns. From texts and pictures to the update,
each by its own loop and tokenisation. The peer has one loss of queries against titles and one
against pictures, and encodes each of them once a pair. smar trains its three tasks, with fusion.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.train_step import trial_params
from smar.data.tokens import PictureTable
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.tokenizer import train_tokenizer
from smar.train.batching import BatchMaker
from smar.train.course import Course, Phase
from smar.train.dataset import TrainingData
from smar.train.loop import Places, train
from smar.train.pairs import Pairs
from smar.train.sampling import PairSampler
from smar.train.step import Terms, pretrain_step
from smar.train.weighting import TaskWeights

_WARM, _STEPS = 2, 6  # steps before those that are timed, and those
_ITEMS, _WORDS = 4096, 3000

Round = Callable[[], float]
"""Trains some steps and returns processor seconds of one."""


@dataclass(frozen=True)
class Shop:
    """Made items with one picture and some queries each.

    Args:
        titles: About 13 words each, [N].
        queries: About 4 words each, those of an item side by side, [N * queries_per_item].
        pixels: uint8, [N, 80, 60, 3].
    """

    titles: list[str]
    queries: list[str]
    pixels: NDArray[np.uint8]

    @classmethod
    def make(cls, queries_per_item: int) -> "Shop":
        """Return random texts and pictures: speed does not depend on what they say."""
        rng = np.random.default_rng(0)
        titles = _texts(rng, np.clip(rng.poisson(13, _ITEMS), 3, 39))
        queries = _texts(rng, np.clip(rng.poisson(4, _ITEMS * queries_per_item), 1, 15))
        return cls(titles, queries, rng.integers(0, 256, (_ITEMS, 80, 60, 3), dtype=np.uint8))

    def read(self, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return some pictures."""
        return self.pixels[image_ids]

    def states_of(self, texts: object) -> None:
        """Return that no states of texts are kept."""


def _texts(rng: np.random.Generator, lengths: NDArray[np.int64]) -> list[str]:
    words = rng.integers(0, _WORDS, lengths.sum())
    return [
        " ".join(_word(number) for number in part)
        for part in np.split(words, lengths.cumsum()[:-1])
    ]


def _word(number: int) -> str:
    """Return a word of letters alone, which becomes one token."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(3))


def own_round(shop: Shop, model: DualEncoder, options: argparse.Namespace) -> Round:
    """Return a round of smar's trainer."""
    _, params, loss = trial_params()
    params = params.model_copy(
        update={"steps": _WARM + _STEPS + 1, "precision": "float32", "log_every": _STEPS + 1,
                "misspelled_frac": 0.0, "field_mask_frac": 0.0, "word_mask_frac": 0.0}
    )  # fmt: skip
    rows = np.arange(len(shop.queries))
    data = TrainingData(
        queries=shop.queries,
        real=Pairs.of(rows, rows // options.queries, np.ones(len(rows)), _ITEMS),
        synthetic=Pairs(np.zeros(0, np.int64), np.zeros(_ITEMS + 1, np.int64)),
        texts=shop.titles,
        group=np.arange(_ITEMS),
        visual=np.zeros(_ITEMS, bool),
    )
    maker = BatchMaker(
        data,
        encode_queries=model.query_tokenizer.encode,
        item_tokens=model.text_tokenizer.encode(shop.titles),
        pictures=PictureTable(np.arange(_ITEMS), np.arange(_ITEMS + 1)),
        images=shop,
        item_texts=shop.titles,
    )
    sampler = PairSampler(
        data, items_per_step=options.items, queries_per_item=options.queries, real_frac=1.0, seed=0
    )
    tasks = {"text": params.alpha, "image": params.beta, "multimodal": params.gamma}
    weights = TaskWeights({"text": 1.0} if options.pictures == "none" else tasks, is_learned=False)
    step = pretrain_step(weights, build_loss(loss))
    starts: list[float] = []

    def terms(*given: Any) -> Terms:
        starts.append(time.process_time())
        return step.terms(*given)

    phase = Phase("joint", 0, params.steps, replace(step, terms=terms))

    def once() -> float:
        starts.clear()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            places = Places(folder / "checkpoint", folder / "history", folder / "precision")
            course = Course([phase], weights)
            train(model, sampler, maker, course=course, params=params, places=places)
        return _per_step(starts)

    return once


def _per_step(starts: list[float]) -> float:
    return (starts[_WARM + _STEPS] - starts[_WARM]) / _STEPS


def peer_round(shop: Shop, model: DualEncoder, options: argparse.Namespace) -> Round:
    """Return a round of sentence-transformers' trainer with copies of the towers."""
    from benchmarks import train_peers_sentence as peer

    made = {"none": None, "ready": peer.ready, "processed": peer.processed}[options.pictures]
    pictures = made(shop.pixels) if made else None
    trainer = peer.Trainer(shop.queries, shop.titles, pictures, model)
    size = options.items * options.queries
    return lambda: _per_step(trainer.step_starts(size, _WARM + _STEPS + 1))


def built(options: argparse.Namespace) -> DualEncoder:
    """Return an untrained model; one that sees texts alone has no fusion."""
    torch.manual_seed(0)
    params, _, _ = trial_params()
    if options.pictures == "none":
        params = params.model_copy(update={"fusion": "text_only"})
    words = [_word(number) for number in range(_WORDS)] * 2
    query, text = (
        train_tokenizer(words, params.vocab_size, tower.max_tokens)
        for tower in (params.query, params.text)
    )
    return build_model(params, query_tokenizer=query, text_tokenizer=text, picture_size=(80, 60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=256, help="of a step")
    parser.add_argument("--queries", type=int, default=1, help="of an item")
    parser.add_argument(
        "--pictures",
        choices=("none", "ready", "processed"),
        default="ready",
        help="none: texts alone; of the peer ready tensors, or Pillow's through its own processor",
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shop = Shop.make(options.queries)
    systems = {
        name: make(shop, built(options), options)
        for name, make in (("smar", own_round), ("sentence-transformers", peer_round))
    }
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(options.rounds):
        for name, once in systems.items():
            seconds[name].append(once())
    pairs = options.items * options.queries
    line: dict[str, Any] = {name: round(pairs / median(s)) for name, s in seconds.items()}
    own, peer = seconds.values()
    ratios = sorted(b / a for a, b in zip(own, peer, strict=True))
    line |= {"ratios": [round(ratio, 2) for ratio in ratios], "median": round(median(ratios), 2)}
    print(json.dumps(vars(options) | {"pairs a second of processor": line}))


if __name__ == "__main__":
    main()
