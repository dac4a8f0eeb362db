"""Training speed beside sentence-transformers' trainer: pairs a second of processor.

`python -m benchmarks.train_peers` (pip install 'sentence-transformers[train]'): both train the
towers of `params.yaml` (pictures of 80 x 60 in 12 patches) from nothing on the same made pairs, in
float32 with one thread, AdamW and clipping, and take turns. From texts and pictures to the update,
each by its own loop and tokenisation and in a process of its own. With `--losses each` the peer has
one loss of queries against titles and one against pictures, and encodes each of them once a pair;
smar trains its three tasks, with fusion. With `--losses one` both have a single loss, of queries
against the mean of a title's and a picture's embedding (`model.fusion: late_mean`).
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
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
from smar.params import PretrainParams
from smar.train.batching import BatchMaker
from smar.train.course import Course, Phase
from smar.train.dataset import TrainingData
from smar.train.loop import Places, train
from smar.train.pairs import Pairs
from smar.train.sampling import PairSampler
from smar.train.step import Terms, pretrain_step
from smar.train.weighting import TaskWeights

_WARM, _STEPS = 4, 8  # steps before those that are timed, and those
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
    weights = TaskWeights(_tasks(params, options), is_learned=False)
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


def _tasks(params: PretrainParams, options: argparse.Namespace) -> dict[str, float]:
    if options.pictures == "none":
        return {"text": 1.0}
    if options.losses == "one":
        return {"multimodal": 1.0}
    return {"text": params.alpha, "image": params.beta, "multimodal": params.gamma}


def _per_step(starts: list[float]) -> float:
    return (starts[_WARM + _STEPS] - starts[_WARM]) / _STEPS


def peer_round(shop: Shop, model: DualEncoder, options: argparse.Namespace) -> Round:
    """Return a round of sentence-transformers' trainer with copies of the towers."""
    from benchmarks import train_peers_sentence as peer

    made = {"none": None, "ready": peer.ready, "processed": peer.processed}[options.pictures]
    pictures = made(shop.pixels) if made else None
    trainer = peer.Trainer(
        shop.queries, shop.titles, pictures, model, is_one_loss=options.losses == "one"
    )
    size = options.items * options.queries
    return lambda: _per_step(trainer.step_starts(size, _WARM + _STEPS + 1))


def built(options: argparse.Namespace) -> DualEncoder:
    """Return an untrained model; one that sees texts alone has no fusion."""
    torch.manual_seed(0)
    params, _, _ = trial_params()
    if options.pictures == "none":
        params = params.model_copy(update={"fusion": "text_only"})
    elif options.losses == "one":
        params = params.model_copy(update={"fusion": "late_mean"})
    words = [_word(number) for number in range(_WORDS)] * 2
    query, text = (
        train_tokenizer(words, params.vocab_size, tower.max_tokens)
        for tower in (params.query, params.text)
    )
    return build_model(params, query_tokenizer=query, text_tokenizer=text, picture_size=(80, 60))


_SYSTEMS = {"smar": own_round, "sentence-transformers": peer_round}


def _begun(name: str, options: argparse.Namespace) -> Connection:
    """Begin a process that trains a round whenever it is told to, and return the line to it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_rounds, args=(name, options, there), daemon=True).start()
    return here


def _rounds(name: str, options: argparse.Namespace, line: Connection) -> None:
    torch.set_num_threads(1)
    once = _SYSTEMS[name](Shop.make(options.queries), built(options), options)
    while line.recv():
        line.send(once())


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
    parser.add_argument(
        "--losses",
        choices=("each", "one"),
        default="each",
        help="each: smar's three, the peer's two",
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    systems = {name: _begun(name, options) for name in _SYSTEMS}
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(options.rounds):
        for name, system in systems.items():
            system.send(True)
            seconds[name].append(system.recv())
    for system in systems.values():
        system.send(False)
    pairs = options.items * options.queries
    line: dict[str, Any] = {name: round(pairs / median(s)) for name, s in seconds.items()}
    own, peer = seconds.values()
    ratios = sorted(b / a for a, b in zip(own, peer, strict=True))
    line |= {"ratios": [round(ratio, 2) for ratio in ratios], "median": round(median(ratios), 2)}
    print(json.dumps(vars(options) | {"pairs a second of processor": line}))


if __name__ == "__main__":
    main()
