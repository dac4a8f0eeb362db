"""Items encoded by one worker of a Ray cluster of this machine, and by more.

    python -m benchmarks.cluster --root . --workers 1 2 --shards 40

The items and the model are those of a project whose stages have run; its items come again until
there are enough shards. The clock runs from when every worker could have answered twice to the last
answer, so that starting Ray and loading the model are told apart (`start_s`); the more shards, the
less does it matter how far each of them is by then. Workers have a thread each; `speedup` is
against the first number of workers.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np

from smar.data import schema
from smar.params import ClusterParams, load_params
from smar.paths import Paths
from smar.shards.mapping import map_shards
from smar.stages import embed


def measure(root: Path, workers: int, shards: int, size: int) -> dict[str, float]:
    """Return seconds until workers had answered twice, and items a second from then on."""
    items = schema.read_table(Paths(root).items, schema.ITEMS)
    rows = np.arange(size) % len(items)
    params = load_params(Paths(root).params)
    inputs = embed.STAGE.digests(root)
    prepare = partial(embed.encoder, root.resolve(), params.embed.batch_size, 1, inputs)
    started = time.perf_counter()
    parts = (items.iloc[rows].copy() for _ in range(shards))
    made = map_shards(prepare, parts, ClusterParams(kind="ray", workers=workers))
    answers = [time.perf_counter() for _ in made]
    first = 2 * workers
    begun = answers[first - 1]
    return {
        "workers": workers,
        "start_s": round(begun - started, 2),
        "items_per_s": round((shards - first) * size / (answers[-1] - begun), 1),
    }


def main() -> None:
    """Print a line for every number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--size", type=int, default=1024, help="items of a shard")
    asked = parser.parse_args()
    first = 0.0
    for workers in asked.workers:
        figures = measure(asked.root, workers, asked.shards, asked.size)
        first = first or figures["items_per_s"]
        print(json.dumps(figures | {"speedup": round(figures["items_per_s"] / first, 2)}))


if __name__ == "__main__":
    main()
