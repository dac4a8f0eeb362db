"""Title to own picture: how well a start's pictures are found by titles that were never trained on.

    python -m benchmarks.title_to_picture PROJECT [KEY=VALUE ...] --seconds 60

PROJECT is a folder in which ingest, validate, synthesize and, for frozen towers, features have
run. Items are held out of training with their queries; then the towers are pre-trained for so many
seconds of this process (CPU time of all threads), and each held-out title is searched by S_i among
all pictures. KEY=VALUE changes params.yaml for the run. Prints R@1, R@10 and the steps taken.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import nn

from smar.data import schema
from smar.data.images import ImageStore
from smar.features.source import open_source
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_items, encode_queries
from smar.models.pretrained import checkpoints
from smar.params import Params
from smar.paths import Paths
from smar.seeding import generator, seed_torch
from smar.stages.pretrain import build_untrained
from smar.train.batching import BatchMaker
from smar.train.course import pretraining_weights
from smar.train.optim import build_optimizer, learning_rate
from smar.train.prepare import build_maker, build_sampler, read_training_data
from smar.train.sampling import PairSampler
from smar.train.step import pretrain_step

_GRAIN = 1000  # parts of the time that the learning rate follows


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


def train(
    model: DualEncoder, sampler: PairSampler, maker: BatchMaker, params: Params, seconds: float
) -> int:
    """Pre-train for some seconds of CPU time, the rate falling with them; return the steps."""
    settings = params.pretrain
    weights = pretraining_weights(settings, is_learned=False)
    step = pretrain_step(weights, build_loss(params.loss))
    old = model.pretrained_parameters()
    optimizer = build_optimizer(model, settings.weight_decay, old, settings.pretrained_rate)
    model.train()
    start, steps, share = time.process_time(), 0, 0.0
    while share < 1:
        rate = learning_rate(
            int(share * _GRAIN), _GRAIN, settings.learning_rate, settings.warmup_frac
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group["rate_scale"]
        optimizer.zero_grad()
        step(model, maker.make(sampler.draw(steps))).loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        steps += 1
        share = (time.process_time() - start) / seconds
    return steps


def main() -> None:
    """Train one start and print what its pictures are found by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("changes", nargs="*")
    options = parser.parse_intermixed_args()
    paths = Paths(options.project)
    params = changed(paths.params, options.changes)
    seed_torch(params.seed)
    items = schema.read_table(paths.items, schema.ITEMS)
    pictures = ImageStore.open(paths.images)
    with_picture = np.flatnonzero(items["image_ids"].str.len() > 0)
    held = generator(params.seed, "held out").permutation(with_picture)[: options.held_out]
    data = read_training_data(paths, items, params.gate.visual_categories, params.clicks)
    starts = checkpoints(params.model, paths.backbones)
    model = build_untrained(params, data.queries, items, (pictures.height, pictures.width), starts)
    source = open_source(paths.features, pictures, model)
    sampler = build_sampler(data, params.pretrain, params.pretrain.real_frac, params.seed)
    sampler.leave_out(held)
    maker = build_maker(model, data, items, source)
    steps = train(model, sampler, maker, params, options.seconds)
    model.eval()
    titles = encode_queries(model, list(items["title"].iloc[held])).vector
    scores = (
        titles.reshape(len(held), -1, model.dim)[:, 0]
        @ encode_items(model, items, source, 256).image.T
    )
    rank = (scores > scores[np.arange(len(held)), held][:, None]).sum(1)
    found = {f"r@{k}": round(float((rank < k).mean()), 4) for k in (1, 10)}
    line: dict[str, Any] = {"steps": steps, "items": len(items), "held_out": len(held), **found}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
