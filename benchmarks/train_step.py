"""Training speed: pairs a second, the share of matrix products, and the machine's own limit.

The model is that of params.yaml with pictures of 80 x 60 in 12 patches; 256 items a step. Texts and
pictures are random: speed does not depend on what they show. Run with
`python -m benchmarks.train_step`. Seconds are those of the processor over the threads; steps and
large products, Torch's own and oneDNN's, take turns, so that a busy machine slows all.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from smar.kept_memory import kept_memory
from smar.losses import build_loss
from smar.models import onednn
from smar.models.dual_encoder import build_model
from smar.models.tokenizer import train_tokenizer
from smar.params import LossParams, ModelParams, PretrainParams, load_params
from smar.train.batching import Batch
from smar.train.optim import build_optimizer
from smar.train.precision import Precision
from smar.train.step import pretrain_step
from smar.train.weighting import TaskWeights

ROOT = Path(__file__).parent.parent

MATRIX_PRODUCTS = ("mm", "bmm", "addmm", "linear", "convolution", "attention")


def trial_params() -> tuple[ModelParams, PretrainParams, LossParams]:
    """Return the parameters of the trial model."""
    params = load_params(ROOT / "params.yaml")
    image = params.model.image.model_copy(update={"patch": 20})
    return params.model.model_copy(update={"image": image}), params.pretrain, params.loss


def random_batch(num_items: int, queries_per_item: int, vocab_size: int) -> Batch:
    """Return a batch with lengths like those of short titles (14 tokens) and queries (5 tokens)."""
    rng = np.random.default_rng(0)
    num_queries = num_items * queries_per_item
    lengths = np.clip(rng.poisson(5, num_queries), 2, 16)
    query_ids = rng.integers(2, vocab_size, (num_queries, lengths.max()))
    item_lengths = np.clip(rng.poisson(14, num_items), 4, 40)
    item_ids = rng.integers(2, vocab_size, (num_items, item_lengths.max()))
    pictures = rng.integers(0, 256, (num_items, 80, 60, 3), dtype=np.uint8)
    return Batch(
        query_ids=torch.from_numpy(query_ids),
        query_lengths=torch.from_numpy(lengths),
        item_ids=torch.from_numpy(item_ids),
        item_lengths=torch.from_numpy(item_lengths),
        pictures=torch.from_numpy(pictures),
        owner=torch.arange(num_items),
        target=torch.arange(num_items).repeat_interleave(queries_per_item),
        allowed=torch.ones(num_queries, num_items, dtype=torch.bool),
        shown=torch.zeros(num_queries, num_items, dtype=torch.bool),
        grade=torch.ones(num_queries),
        visual=torch.zeros(num_queries),
        group=torch.arange(num_items),
    )


@kept_memory()
def measure(
    queries_per_item: int, precision: str, steps: int, num_items: int, dense: int
) -> dict[str, float | str]:
    """Return the figures of one setting."""
    torch.manual_seed(0)
    params, pretrain, loss = trial_params()
    words = [f"word{number}" for number in range(9000)]
    tokenizer = train_tokenizer(words * 2, params.vocab_size, 24)
    model = build_model(
        params, query_tokenizer=tokenizer, text_tokenizer=tokenizer, picture_size=(80, 60)
    )
    optimizer = build_optimizer(model, 0.01)
    tasks = {"text": pretrain.alpha, "image": pretrain.beta, "multimodal": pretrain.gamma}
    step = pretrain_step(TaskWeights(tasks, is_learned=False), build_loss(loss))
    batch = random_batch(num_items, queries_per_item, tokenizer.vocab_size)
    chosen = Precision(precision, "benchmark")
    left, right = torch.randn(2, dense, dense).to(getattr(torch, precision))
    products = [lambda: left @ right, lambda: onednn.product(left, right)]

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        with chosen.autocast(model.device):
            output = step(model, batch)
        output.loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        once()
    with (
        patch.object(onednn, "_is_faster", return_value=False),  # the counter knows Torch's own
        FlopCounterMode(display=False) as counter,
    ):
        once()
    rounds = [[_seconds(run) for run in (once, *products)] for _ in range(steps)]
    seconds, *dense_s = (median(found) for found in zip(*rounds, strict=True))
    speed = counter.get_total_flops() / seconds / 1e9
    limits = [2 * dense**3 / each / 1e9 for each in dense_s]
    return {
        "queries_per_item": queries_per_item,
        "precision": precision,
        "step_s": round(seconds, 4),
        "pairs_per_s": round(len(batch.target) / seconds, 1),
        "matrix_product_share": round(_share_of_products(once), 3),
        "gflop_per_s": round(speed, 1),
        "dense_gflop_per_s": round(limits[0], 1),
        "dense_gflop_per_s_of_onednn": round(limits[1], 1),
        "share_of_dense": round(speed / limits[0], 2),
        "share_of_onednn": round(speed / limits[1], 2),
    }


def _share_of_products(run: Callable[[], object]) -> float:
    """Return the share of matrix products in the time of what is run."""
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        run()
    events = trace.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    products = sum(
        event.self_cpu_time_total
        for event in events
        if any(name in event.key for name in MATRIX_PRODUCTS)
    )
    return float(products / total)


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) / torch.get_num_threads()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--items", type=int, default=256, help="of a step")
    parser.add_argument("--dense", type=int, default=2048, help="rows of the large matrices")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    for precision in options.precisions:
        for queries_per_item in (1, 4):
            figures = measure(
                queries_per_item, precision, options.steps, options.items, options.dense
            )
            print(json.dumps(figures))


if __name__ == "__main__":
    main()
