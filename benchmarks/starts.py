"""Starts compared: a model is trained for some seconds of CPU from what params.yaml names.

    python -m benchmarks.starts PROJECT [KEY=VALUE ...] --seconds 200

PROJECT is a folder in which ingest, validate, synthesize and, for frozen towers, features have
run. Items are held out of training with their queries. The towers are pre-trained, then fine-tuned
on clicks, for so many seconds of this process (CPU time of all threads); the learning rate falls
with them. KEY=VALUE changes params.yaml for the run; `precision: auto` is float32 here. Prints one
line of JSON: judged queries by vectors and by the search, each held-out title as a query, and each
held-out item's text as the text tower has it (`text_r@10`), to its own picture among all, and
held-out items by their type and, where the column `--colours` of the feed names one, their colour.
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
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.budget import train_for
from benchmarks.start_tasks import (
    Trained,
    colours,
    first_vectors,
    judged,
    products_of,
    title_to_picture,
)
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.item_source import ItemSource
from smar.data.text import item_texts
from smar.features.source import open_source
from smar.index.language import stemmer_of
from smar.judging.shop_sets import ShopSets
from smar.judging.unseen_words import unseen_word_sets
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items
from smar.models.pretrained import checkpoints
from smar.params import Params
from smar.params.kinds import GATES
from smar.params.train import TrainParams
from smar.paths import Paths
from smar.seeding import generator, seed_torch
from smar.stages.pretrain import build_untrained
from smar.train.aligned import align
from smar.train.batching import BatchMaker
from smar.train.benefit import picture_benefit
from smar.train.cached import cached_step
from smar.train.course import finetune_course, pretraining_weights
from smar.train.large import LargeBatch
from smar.train.optim import add_weights, build_optimizer
from smar.train.precision import Precision
from smar.train.prepare import build_maker, build_sampler, read_training_data
from smar.train.sampling import PairSampler
from smar.train.step import Step, pretrain_step
from smar.train.weighting import TaskWeights


def changed(path: Path, changes: list[str]) -> Params:
    """Return the parameters of a project with some values changed."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for change in changes:
        key, _, value = change.partition("=")
        section = content
        *parts, last = key.split(".")
        for part in parts:
            section = section.setdefault(part, {})
        section[last] = yaml.safe_load(value) if value else ""
    return Params.model_validate(content)


def with_less_log(root: Path, frac: float, seed: int, folder: Path) -> Path:
    """Return a project like another whose log has a share of its training queries.

    Held-out and judged queries stay, and so do synthetic ones: a young shop has its catalogue.

    Args:
        root: The project.
        frac: Share of the queries, each with all its searches and clicks.
        seed: Draws them.
        folder: An empty folder for the other.
    """
    paths, other = Paths(root.resolve()), Paths(folder)
    other.accepted.mkdir(parents=True)
    for place in (paths.root, paths.data, paths.accepted):
        for file in place.iterdir():
            target = folder / file.relative_to(paths.root)
            if not target.exists() and file != paths.queries:
                target.symlink_to(file)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    drawn = generator(seed, "less log").random(len(queries)) < frac
    schema.write_table(
        other.queries, queries[drawn | (queries["split"] != "train")], schema.QUERIES
    )
    return folder


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
    params: Params,
    paths: Paths,
    items: pd.DataFrame,
    held: NDArray[np.int64],
    seconds: tuple[float, float],
) -> tuple[DualEncoder, ItemSource, dict[str, int]]:
    """Return a model after both trainings, where its items come from, and the steps of each.

    Args:
        params: The parameters.
        paths: The project.
        items: Item table (`schema.ITEMS`).
        held: Rows of items that no step sees.
        seconds: Of pre-training and of fine-tuning; 0 leaves one out.
    """
    read = partial(read_training_data, paths, items, params.gate.visual_categories, params.clicks)
    data = read()
    pictures = ImageStore.open(paths.images)
    starts = checkpoints(params.model, paths.backbones)
    model = build_untrained(params, data.queries, items, (pictures.height, pictures.width), starts)
    source = open_source(paths.features, pictures, model)
    began = time.process_time()
    if params.pretrain.start == "aligned":
        align(model, items, source, held)
    own = time.process_time() - began  # is part of the seconds of pre-training
    seconds = max(0.0, seconds[0] - own), seconds[1]
    loss = build_loss(params.loss)
    weights = pretraining_weights(params.pretrain, is_learned=False)
    clicks = finetune_course(params.finetune, loss, is_learned=False).phases[0].step
    parts = (
        ("pretrain", params.pretrain, params.pretrain.real_frac, pretrain_step(weights, loss)),
        ("finetune", params.finetune, 1.0, clicks),
    )
    steps = {}
    for number, (name, settings, real, step) in enumerate(parts):
        if not seconds[number]:
            continue
        data = read(clicks_suffice=True) if name == "finetune" else data
        sampler = build_sampler(data, settings, real, params.seed + number)
        sampler.leave_out(held)
        maker = build_maker(model, data, items, source)
        steps[name] = train(model, sampler, maker, step, settings, seconds[number])
    model.set_gate(params.gate.kind, params.gate.own.model_dump())
    if GATES[params.gate.kind].facts["SETTLES"]:
        model.gate.settle(picture_benefit(model, data, items, source, params.seed))
    return model, source, steps


def measured(
    found: Trained,
    params: Params,
    paths: Paths,
    items: pd.DataFrame,
    held: NDArray[np.int64],
    options: argparse.Namespace,
) -> dict[str, float]:
    """Return the figures of a trained model."""
    encode = partial(first_vectors, found.model)
    vectors = found.vectors
    here = items.iloc[held]
    figures = title_to_picture(encode(here["title"].tolist()), vectors.image, held)
    of_texts = title_to_picture(vectors.text[held], vectors.image, held)
    figures["text_r@10"] = of_texts["title_r@10"]
    by_value = partial(products_of, encode, vectors.image[held], vectors.text[held])
    types = here["category"].str.split(" > ").str[-1]
    figures["type_p@10"], figures["types"] = by_value(types.tolist())
    if options.colours:
        feed = paths.root / params.ingest.folder / params.ingest.feed.file
        table = pd.read_csv(feed, dtype=str).set_index("id")[options.colours].fillna("")
        named = colours(table.reindex(here["item_id"]).fillna(""))
        figures["colour_p@10"], figures["colours"] = by_value(named)
    shop = ShopSets.read(paths, found.ids, params.evaluate.relevant_grade, params.seed)
    queries = next(one for one in shop.sets if one.name == options.set)
    figures |= judged(found, queries, options.share, held)
    unseen = unseen_word_sets(items, shop.log.trained, found.ids, params.seed)
    of_unseen = judged(found, unseen[options.set == "test"], options.share, held)
    return figures | {f"unseen_{k}": v for k, v in of_unseen.items() if k.endswith("ndcg@10")}


def main() -> None:
    """Train one start and print what it finds."""
    options = _options()
    with TemporaryDirectory() as folder:
        if options.log_frac < 1:
            seed = yaml.safe_load((options.project / "params.yaml").read_text())["seed"]
            options.project = with_less_log(options.project, options.log_frac, seed, Path(folder))
        sys.stdout.write(json.dumps(compare(options)) + "\n")


def _options() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--clicks-frac", type=float, default=0.75, help="of the seconds")
    parser.add_argument("--log-frac", type=float, default=1, help="of the log's training queries")
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--set", choices=("test", "validation"), default="test")
    parser.add_argument("--share", type=float, default=0.3, help="of the words in the search")
    parser.add_argument("--colours", default="", help="column of the feed that names them")
    parser.add_argument("changes", nargs="*")
    return parser.parse_intermixed_args()


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Train one start and return what it finds."""
    paths = Paths(options.project)
    params = changed(paths.params, options.changes)
    seed_torch(params.seed)
    items = schema.read_table(paths.items, schema.ITEMS)
    with_picture = np.flatnonzero(items["image_ids"].str.len() > 0)
    drawn = generator(params.seed, "held out").permutation(with_picture)
    is_test = options.set == "test"  # choices are made on other items than those reported
    held = drawn[: options.held_out] if is_test else drawn[-options.held_out :]
    seconds = options.seconds * (1 - options.clicks_frac), options.seconds * options.clicks_frac
    model, source, steps = trained(params, paths, items, held, seconds)
    texts = item_texts(items)
    found = Trained(
        model,
        encode_items(model, items, source, 256),
        list(items["item_id"]),
        texts,
        stemmer_of(texts),
    )
    line: dict[str, Any] = {"seed": params.seed, "changes": options.changes, "steps": steps}
    line |= {"items": len(items), "held_out": len(held), "set": options.set}
    figures = measured(found, params, paths, items, held, options)
    line |= {name: round(value, 4) for name, value in figures.items()}
    line["log_frac"], line["cpu_s"] = options.log_frac, round(time.process_time())
    return line


if __name__ == "__main__":
    main()
