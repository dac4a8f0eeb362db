"""Starts compared: a model is trained for some seconds of CPU from what params.yaml names.

    python -m benchmarks.starts PROJECT [KEY=VALUE ...] --seconds 200

PROJECT is a folder in which ingest, validate, synthesize and, for frozen towers, features have
run. Items are held out of training with their queries. The towers are pre-trained, then fine-tuned
on clicks, for so many seconds of this process (CPU time of all threads); the learning rate falls
with them. KEY=VALUE changes params.yaml for the run; `precision: auto` is float32 here. Prints one
line of JSON: judged queries by vectors and by the search, validation queries by the search beside
test ones (`validation_...`, to choose by), each held-out title as a query, and each held-out item's
text as the text tower has it (`text_r@10`), to its own picture among all, and held-out items by
their type and, where the column `--colours` of the feed names one, their colour.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.budget import train_for
from benchmarks.start_shop import StartShop, changed
from benchmarks.start_tasks import (
    Figure,
    Trained,
    first_vectors,
    judged,
    products_of,
    title_to_picture,
)
from smar.data.images import ImageStore
from smar.data.item_source import ItemSource
from smar.features.source import open_source
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items
from smar.models.pretrained import checkpoints
from smar.params import Params
from smar.params.train import TrainParams
from smar.seeding import generator, seed_torch
from smar.stages.pretrain import build_untrained
from smar.train.aligned import align
from smar.train.batching import BatchMaker
from smar.train.benefit import settle_gate
from smar.train.cached import cached_step
from smar.train.course import finetune_course, pretraining_weights
from smar.train.large import LargeBatch
from smar.train.optim import add_weights, build_optimizer
from smar.train.precision import Precision
from smar.train.prepare import build_maker, build_sampler
from smar.train.sampling import PairSampler
from smar.train.step import Step, pretrain_step
from smar.train.weighting import TaskWeights


def train(
    model: DualEncoder,
    sampler: PairSampler,
    maker: BatchMaker,
    step: Step,
    settings: TrainParams,
    seconds: float,
    weights: TaskWeights | None = None,
) -> int:
    """Train for some seconds of CPU time, the rate falling with them; return the steps.

    Weights of the tasks are trained too where they are learned.
    """
    old = model.pretrained_parameters()
    model.hold()
    optimizer = build_optimizer(model, settings.weight_decay, old, settings.pretrained_rate)
    if weights is not None:
        add_weights(optimizer, weights)
    precision = Precision(settings.precision.replace("auto", "float32"), "asked for")

    def backward(number: int) -> None:
        draw = sampler.draw(number)
        if 0 < settings.chunk_items < len(draw.items):
            cached_step(step, model, LargeBatch.make(maker, draw, settings.chunk_items), precision)
            return
        with precision.autocast(model.device):
            output = step(model, maker.make(draw))
        output.loss.backward()  # type: ignore[no-untyped-call]

    model.train()
    steps = train_for(seconds, optimizer, settings, backward)
    model.eval()
    return steps


def trained(
    shop: StartShop, params: Params, held: NDArray[np.int64], seconds: tuple[float, float]
) -> tuple[DualEncoder, ItemSource, dict[str, int]]:
    """Return a model after both trainings, where its items come from, and the steps of each.

    Args:
        shop: The project.
        params: The parameters.
        held: Rows of items that no step sees.
        seconds: Of pre-training and of fine-tuning; 0 leaves one out.
    """
    items, pictures = shop.items, ImageStore.open(shop.paths.images)
    starts = checkpoints(params.model, shop.paths.backbones)
    size = (pictures.height, pictures.width)
    model = build_untrained(params, shop.data.queries, items, size, starts)
    source = open_source(shop.paths.features, pictures, model)
    began = time.process_time()
    if (start := params.pretrain.start) != "random":
        align(model, items, source, held, by_contrast=start == "contrasted")
    own = time.process_time() - began  # is part of the seconds of pre-training
    loss = build_loss(params.loss)
    weights = pretraining_weights(params.pretrain, is_learned=False)
    clicks = finetune_course(params.finetune, loss, is_learned=False).phases[0].step
    first, then = params.pretrain, params.finetune
    parts = (
        (shop.data, first, first.real_frac, pretrain_step(weights, loss), seconds[0] - own),
        (shop.clicks, then, 1.0, clicks, seconds[1]),
    )
    steps, data = {}, shop.data
    for number, (pairs, settings, real, step, left) in enumerate(parts):
        if left <= 0:
            continue
        data = pairs
        sampler = build_sampler(data, settings, real, params.seed + number)
        sampler.leave_out(held)
        maker = build_maker(model, data, items, source)
        steps[("pretrain", "finetune")[number]] = train(model, sampler, maker, step, settings, left)
    settle_gate(model, params, data, items, source, params.seed)
    return model, source, steps


def measured(
    found: Trained, shop: StartShop, held: NDArray[np.int64], options: argparse.Namespace
) -> dict[str, Figure]:
    """Return the figures of a trained model: one number each, or one of each query."""
    encode, vectors = partial(first_vectors, found.model), found.vectors
    here = shop.items.iloc[held]
    figures: dict[str, Figure] = {}
    figures |= title_to_picture(encode(here["title"].tolist()), vectors.image, held)
    of_texts = title_to_picture(vectors.text[held], vectors.image, held)
    figures["text_r@10"] = of_texts["title_r@10"]
    by_value = partial(products_of, encode, vectors.image[held], vectors.text[held])
    types = here["category"].str.split(" > ").str[-1]
    figures["type_p@10"], figures["types"] = by_value(types.tolist())
    if options.colours:
        figures["colour_p@10"], figures["colours"] = by_value(shop.colours[held].tolist())
    figures |= judged(found, shop.queries, options.share, held)
    of_unseen = judged(found, shop.unseen, options.share, held)
    figures |= {f"unseen_{k}": v for k, v in of_unseen.items() if k.endswith("ndcg@10")}
    if options.set == "test":  # which decides nothing
        of_choices = judged(found, shop.validation, options.share, held)
        figures |= {f"validation_{k}": v for k, v in of_choices.items() if k.startswith("search")}
    return figures


def main() -> None:
    """Train one start and print what it finds."""
    options = arguments(__doc__).parse_intermixed_args()
    options.shared = options.changes
    with TemporaryDirectory() as folder:
        line, _ = compare(options, StartShop(options, Path(folder)))
    sys.stdout.write(json.dumps(line) + "\n")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what reads the command line: the project, budgets, what is held out and changed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("project", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--clicks-frac", type=float, default=0.75, help="of the seconds")
    parser.add_argument("--log-frac", type=float, default=1, help="of the log's training queries")
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--set", choices=("test", "validation"), default="test")
    parser.add_argument("--share", type=float, default=0.3, help="of the words in the search")
    parser.add_argument("--colours", default="", help="column of the feed that names them")
    parser.add_argument("changes", nargs="*")
    return parser


def compare(
    options: argparse.Namespace, shop: StartShop
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Train one start; return what it finds, and what of it is told of each query.

    Args:
        options: As `arguments` reads them.
        shop: The project, of options that differ in `changes` at most.
    """
    began = time.process_time()
    params = changed(options.project / "params.yaml", options.changes)
    seed_torch(params.seed)
    with_picture = np.flatnonzero(shop.items["image_ids"].str.len() > 0)
    drawn = generator(params.seed, "held out").permutation(with_picture)
    is_test = options.set == "test"  # choices are made on other items than those reported
    held = drawn[: options.held_out] if is_test else drawn[-options.held_out :]
    seconds = options.seconds * (1 - options.clicks_frac), options.seconds * options.clicks_frac
    model, source, steps = trained(shop, params, held, seconds)
    found = Trained(model, encode_items(model, shop.items, source, 256), shop.ids, shop.words)
    line: dict[str, Any] = {"seed": params.seed, "changes": options.changes, "steps": steps}
    line |= {"items": len(shop.ids), "held_out": len(held), "set": options.set}
    figures = measured(found, shop, held, options)
    line |= {name: round(float(np.mean(value)), 4) for name, value in figures.items()}
    line["log_frac"], line["cpu_s"] = options.log_frac, round(time.process_time() - began)
    return line, {name: each for name, each in figures.items() if isinstance(each, np.ndarray)}


if __name__ == "__main__":
    main()
