"""The preparation of a training's synthetic pairs alone: processor, and memory of its own.

Run with `python -m benchmarks.pairs --items 1000000`; pairs are made as they are read.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa

from smar.train.pairs import gather_synthetic

_ITEMS = 2048  # of a batch
_DISTINCT = 0.8  # texts per item
_LOOK_S = 0.2


def made_pairs(ids: pa.Array, per_item: int) -> Iterator[pa.RecordBatch]:
    """Yield pairs item by item; a few texts are made for many items."""
    rng = np.random.default_rng(0)
    number = max(1, int(_DISTINCT * len(ids)))
    texts = pa.array([f"colour{n % 17} use{n % 71} thing{n}" for n in range(number)])
    for start in range(0, len(ids), _ITEMS):
        rows = np.repeat(np.arange(start, min(len(ids), start + _ITEMS)), per_item)
        drawn = (rng.random(len(rows)) ** 2 * len(texts)).astype(np.int64)
        columns = [texts.take(pa.array(drawn)), ids.take(pa.array(rows))]
        yield pa.RecordBatch.from_arrays(columns, names=["query", "item_id"])


class OwnMemory:
    """The most anonymous memory, in GB, that this process has while the block runs."""

    def __init__(self) -> None:
        self.peak_gb = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "OwnMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            text = Path("/proc/self/status").read_text().partition("RssAnon:")[2]
            self.peak_gb = max(self.peak_gb, int(text.split(maxsplit=1)[0]) * 1024 / 1e9)
            if self._ends.wait(_LOOK_S):
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--per-item", type=int, default=24)
    options = parser.parse_args()
    ids = [f"p{number:07d}" for number in range(options.items)]
    index, started = pd.Index(ids), time.process_time()
    with TemporaryDirectory() as folder, OwnMemory() as memory:
        batches = made_pairs(pa.array(ids), options.per_item)
        texts, pairs = gather_synthetic(batches, [], index, Path(folder))
        sizes = {"items": options.items, "pairs": len(pairs), "texts": len(texts)}
    cpu_s = round(time.process_time() - started, 1)
    print(json.dumps(sizes | {"cpu_s": cpu_s, "own_gb": round(memory.peak_gb, 2)}))


if __name__ == "__main__":
    main()
