"""What an index in shards costs beside one file: filling, writing and searching it.

    python -m benchmarks.index_shards --folder PROJECT --shards 1 2 4

The vectors, the settings and the queries are those of the project's current release; its lists are
trained once for all numbers of shards. Told are seconds of processor for filling and writing all
shards, those of the largest one (what each takes that is filled apart), and milliseconds a search,
200 deep, one by one and a hundred at once: by one thread in milliseconds of processor, and by the
clock with as many threads as asked for. Numbers of shards are searched in turns; a round's times
are divided by those of the first number. Told are the median of these ratios and the least times.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest
from smar.index.ann import VectorIndex, gated_queries, set_faiss_threads
from smar.index.layout import Layout
from smar.index.lists import WITH_LISTS, Lists, trained
from smar.index.settings import DEPTH
from smar.index.shard import Shard
from smar.index.shard_files import index_directory
from smar.service.registry import AUTO
from smar.service.retriever import Retriever

_ALONE, _TOGETHER = 200, 100  # queries one by one, and at once


def in_shards(
    index: VectorIndex, lists: Lists, vectors: NDArray[np.float32], count: int
) -> tuple[VectorIndex, dict[str, float]]:
    """Return an index in so many shards, and what it took to make it of its lists."""
    layout = Layout.of(index.item_ids, count)
    shards, spent = [], []
    for rows in layout.rows:
        start = time.process_time()
        shards.append(Shard(lists.filled(vectors, rows), rows))
        spent.append(time.process_time() - start)
    made = VectorIndex(shards, index.item_ids, {}, layout, lists)
    made.set(index.details["settings"])
    start = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        index_directory(Path(folder) / "index", made, Manifest(kind="index")),
    ):
        pass
    written = time.process_time() - start
    seconds = {"fill_s": sum(spent), "largest_s": max(spent), "write_s": written}
    return made, {name: round(value, 2) for name, value in seconds.items()}


def milliseconds(
    index: VectorIndex, queries: NDArray[np.float32], at_once: int, clock: Callable[[], float]
) -> float:
    """Return the time of a search by a clock."""
    start = clock()
    for first in range(0, len(queries), at_once):
        index.search(queries[first : first + at_once], DEPTH)
    return 1e3 * (clock() - start) / len(queries)


def measured(
    indexes: Sequence[VectorIndex], queries: NDArray[np.float32], rounds: int, threads: int
) -> list[dict[str, float]]:
    """Return the least times of each index, and the median of the ratios to the first one."""
    found: list[dict[str, float]] = [{} for _ in indexes]
    for name, at_once, used, clock in (
        ("alone_cpu_ms", 1, 1, time.process_time),
        ("together_cpu_ms", _TOGETHER, 1, time.process_time),
        (f"alone_{threads}_threads_ms", 1, threads, time.perf_counter),
        (f"together_{threads}_threads_ms", _TOGETHER, threads, time.perf_counter),
    ):
        set_faiss_threads(used)
        times = np.array(
            [
                [milliseconds(index, queries, at_once, clock) for index in indexes]
                for _ in range(rounds + 1)
            ][1:]  # the first reads what is mapped
        )
        for told, least, ratio in zip(
            found, times.min(axis=0), np.median(times / times[:, :1], axis=0), strict=True
        ):
            told[name], told[f"{name}_ratio"] = round(float(least), 3), round(float(ratio), 2)
    return found


def main() -> None:
    """Print a line for every number of shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--release", default=AUTO, help='"none": the outputs of the stages')
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    faiss.omp_set_num_threads(1)
    shop = Retriever.load(asked.folder, asked.release)
    index = shop.index.vectors
    kind = index.details["kind"]
    if not kind.startswith(WITH_LISTS):
        parser.error(f"{asked.folder}: the index is {kind}, expected one with inverted lists.")
    texts = json.loads((asked.folder / "queries.json").read_text())[:_ALONE]
    encoded = shop.tower.encode(shop.index.read(texts))
    queries = gated_queries(encoded.vector, encoded.gate)
    vectors = index.gathered(np.arange(len(index.item_ids)))
    start = time.process_time()
    lists = Lists.of(trained(kind, vectors), vectors)
    print(json.dumps({"kind": kind, **index.details["settings"], "items": len(vectors),
                      "train_and_place_s": round(time.process_time() - start, 1)}))  # fmt: skip
    made = [in_shards(index, lists, vectors, count) for count in asked.shards]
    found = measured([one for one, _ in made], queries, asked.rounds, asked.threads)
    first = made[0][0].search(queries, DEPTH)
    for count, (one, built), told in zip(asked.shards, made, found, strict=True):
        again = one.search(queries, DEPTH)
        is_same = [each.tobytes() for each in first] == [each.tobytes() for each in again]
        print(json.dumps({"shards": count, "same_as_first": is_same, **built, **told}))


if __name__ == "__main__":
    main()
