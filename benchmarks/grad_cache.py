"""Peak memory of one training step: all items at once, or in chunks with the same gradients.

The model and the texts are those of `train_step.py`, one query an item; pictures are read from a
memory-mapped file, as they are in training. Every setting runs in a process of its own, whose
largest resident size is told. Run with `python -m benchmarks.grad_cache`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.train_step import random_batch, trial_params
from smar.losses import build_loss
from smar.models.dual_encoder import build_model
from smar.models.tokenizer import train_tokenizer
from smar.train.batching import BatchMaker
from smar.train.cached import cached_step
from smar.train.large import LargeBatch
from smar.train.optim import build_optimizer
from smar.train.precision import Precision
from smar.train.standing import Bits
from smar.train.step import pretrain_step
from smar.train.weighting import TaskWeights

_PICTURES = 4096  # on disk; a batch shows some of them again


class _Pictures:
    """Random pictures of 80 x 60 in a file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as its pictures
        shape = (_PICTURES, 80, 60, 3)
        self._pixels = np.memmap(self._file, np.uint8, "w+", shape=shape)
        for start in range(0, _PICTURES, 256):
            noise = np.random.default_rng(start).integers(0, 256, (256, *shape[1:]), np.uint8)
            self._pixels[start : start + 256] = noise

    def read(self, image_ids: NDArray[np.int64], views: None = None) -> Tensor:
        return torch.from_numpy(np.asarray(self._pixels[image_ids % _PICTURES]))


def large(num_items: int, chunk: int, vocab_size: int) -> LargeBatch:
    """Return a step of random items with a query each; each item may stand against all queries."""
    few = random_batch(min(num_items, 256), 1, vocab_size)
    times = -(-num_items // len(few.target))
    names = ("query_ids", "query_lengths", "item_ids", "item_lengths")
    texts = {
        name: torch.cat([getattr(few, name)] * times)[:num_items].contiguous() for name in names
    }
    rows = torch.arange(num_items)
    facts = {"target": rows, "grade": torch.ones(num_items), "visual": torch.zeros(num_items)}
    columns = -(-num_items // 8)
    allowed = Bits(np.full((num_items, columns), 255, np.uint8), num_items)
    shown = Bits(np.zeros((num_items, columns), np.uint8), num_items)
    maker = cast("BatchMaker", _Pictures())
    ids = np.arange(num_items)
    return LargeBatch(texts, facts | {"group": rows}, allowed, shown, ids, ids, maker, chunk)


def measure(num_items: int, chunk: int) -> dict[str, Any]:
    """Return the figures of one step with its update; chunk 0: all at once."""
    torch.manual_seed(0)
    params, pretrain, loss = trial_params()
    tokenizer = train_tokenizer([f"word{number}" for number in range(9000)] * 2, 8192, 24)
    model = build_model(
        params, query_tokenizer=tokenizer, text_tokenizer=tokenizer, picture_size=(80, 60)
    )
    optimizer = build_optimizer(model, 0.01)
    tasks = {"text": pretrain.alpha, "image": pretrain.beta, "multimodal": pretrain.gamma}
    step = pretrain_step(TaskWeights(tasks, is_learned=False), build_loss(loss))
    batch = large(num_items, chunk or num_items, tokenizer.vocab_size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if chunk:
        cached_step(step, model, batch, Precision("float32", "benchmark"))
    else:
        (items,) = batch.item_chunks(with_pictures=True)
        (queries,) = batch.query_chunks()
        known = batch.known_of(slice(0, num_items))
        whole = vars(items) | {n: getattr(queries, n) for n in ("query_ids", "query_lengths")}
        facts = {n: getattr(known, n) for n in ("target", "grade", "visual", "allowed", "shown")}
        step(model, type(items)(**whole | facts)).loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return {
        "items": num_items,
        "chunk_items": chunk,
        "step_s": round(time.perf_counter() - start, 2),
        "rss_before_mb": before // 1024,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, type=int, metavar=("ITEMS", "CHUNK"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)), flush=True)
        return
    for setting in ((256, 0), (2048, 0), (2048, 256), (16384, 256)):
        command = [sys.executable, "-m", "benchmarks.grad_cache", "--one", *map(str, setting)]
        subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)


if __name__ == "__main__":
    main()
