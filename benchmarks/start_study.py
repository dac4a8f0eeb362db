"""Starts compared over seeds, with intervals: what is done lies in a folder and is not done again.

    python -m benchmarks.start_study PROJECT [KEY=VALUE ...] --folder FOLDER --seconds 60

PROJECT has the parameters of examples/fashion_pretrained.args, both models of
`examples/pretrained_demo.py`, and features of pictures and texts: the stage `features` ran with
what `both` changes below. Each of `--starts` is trained and measured as by `benchmarks.starts`,
with each seed and each share of the log (`--log-fracs`). Prints tables; `--report` runs nothing.
"""

import sys
from argparse import Namespace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.fair.intervals import difference, mean_over, told
from benchmarks.fair.report import markdown
from benchmarks.fair.results import Line, Results
from benchmarks.start_shop import StartShop
from benchmarks.starts import arguments, compare
from smar.seeding import generator

_FROM_NOTHING = (
    "model.image.pretrained=", "model.image.unfreeze=all", "model.image.layers=1",
    "pretrain.start=random",
)  # fmt: skip
_MINILM = (
    "model.dim=384", "model.query.pretrained=all-minilm-l6-v2", "model.query.unfreeze=none",
    "model.text.pretrained=all-minilm-l6-v2", "model.text.unfreeze=none",
    "pretrain.start=random", "pretrain.pretrained_rate=0.2", "finetune.pretrained_rate=0.2",
)  # fmt: skip
STARTS: dict[str, tuple[str, ...]] = {
    "nothing": _FROM_NOTHING,
    "texts": (*_FROM_NOTHING, *_MINILM),
    "pictures": (),
    "both": _MINILM,
}
"""What each start changes of the example's parameters."""

# Of each query, with an interval; and one number a training, with the lowest and highest of them.
_TOLD = {
    "vectors_r@50": "R@50, vectors",
    "vectors_ndcg@10": "nDCG@10, vectors",
    "search_r@50": "R@50, search",
    "search_ndcg@10": "nDCG@10, search",
    "unseen_vectors_ndcg@10": "unseen words, vectors",
    "unseen_search_ndcg@10": "unseen words, search",
    "title_r@10": "title to picture R@10",
    "text_r@10": "by item text",
    "validation_search_r@50": "R@50, search, validation",
    "validation_search_ndcg@10": "nDCG@10, search, validation",
}
_OF_TRAININGS = {"cold_r@50": "cold R@50", "type_p@10": "type P@10", "colour_p@10": "colour P@10"}
_RESAMPLES = 2000
_Values = dict[str, NDArray[np.float64]]


def main() -> None:
    """Run what is not done yet, then print the tables."""
    options = _options()
    results = Results(options.folder)
    if not options.report:
        torch.set_num_threads(1)
        with TemporaryDirectory() as folder:
            _run(options, results, Path(folder))
    for log_frac in options.log_fracs:
        sys.stdout.write(tables(results, options.starts, log_frac))


def _options() -> Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where results lie")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--log-fracs", type=float, nargs="+", default=[1.0])
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_intermixed_args()


def _run(options: Namespace, results: Results, folder: Path) -> None:
    shops: dict[float, StartShop] = {}
    for seed, log_frac, start in product(options.seeds, options.log_fracs, options.starts):
        name = named(start, log_frac)
        if seed in {line["seed"] for line in results.finals(name)}:
            continue
        changes = [*STARTS[start], *options.changes, f"seed={seed}"]
        own = {"changes": changes, "shared": options.changes, "log_frac": log_frac}
        one = Namespace(**{**vars(options), **own})
        shop = shops[log_frac] = shops.get(log_frac) or StartShop(one, folder / f"{log_frac:g}")
        line, values = compare(one, shop)
        table = [pd.DataFrame({"metric": of, "value": each}) for of, each in values.items()]
        results.add_final(name, line, pd.concat(table, ignore_index=True))


def named(start: str, log_frac: float) -> str:
    """Return the name that the results of a start with a share of the log lie under."""
    return f"{start}-{log_frac:g}"


def tables(results: Results, starts: list[str], log_frac: float) -> str:
    """Return what the starts find with a share of the log, and points of each above the first."""
    lines = {start: results.finals(named(start, log_frac)) for start in starts}
    values = {
        start: _values(results, named(start, log_frac), found) for start, found in lines.items()
    }
    done = {start: found for start, found in values.items() if found}
    rows = [_figures(start, found, lines[start]) for start, found in done.items()]
    text = markdown(f"{log_frac:.0%} of the log", rows)
    if starts[0] in done:
        gaps = (_gaps(done[start], done[starts[0]], start) for start in done if start != starts[0])
        text += "\n" + markdown(f"Points above {starts[0]}", gaps)
    return text


def _values(results: Results, name: str, lines: list[Line]) -> _Values:
    """Return each metric of each query, [seeds, queries]."""
    if not lines:
        return {}
    found = [results.per_query(name, line["seed"]).groupby("metric")["value"] for line in lines]
    of_seeds = [{str(metric): part.to_numpy() for metric, part in each} for each in found]
    return {metric: np.stack([each[metric] for each in of_seeds]) for metric in of_seeds[0]}


def _figures(start: str, values: _Values, lines: list[Line]) -> dict[str, str]:
    steps = " + ".join(
        f"{np.mean([line['steps'].get(stage, 0) for line in lines]):.0f}"
        for stage in ("pretrain", "finetune")
    )
    row = {"start": start, "seeds": str(len(lines)), "steps": steps}
    for metric, label in _labels(values).items():
        row[label] = told(mean_over(values[metric], _RESAMPLES, _rng(start, metric)), 1, 3)
    for metric, label in _OF_TRAININGS.items():
        each = [line[metric] for line in lines if metric in line]
        row[label] = f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})" if each else ""
    return row


def _gaps(values: _Values, against: _Values, start: str) -> dict[str, str]:
    row = {"start": start}
    for metric, label in _labels(values, against).items():
        gap = difference(values[metric], against[metric], _RESAMPLES, _rng(start, metric))
        row[label] = told(gap, 100, 1)
    return row


def _labels(*of: _Values) -> dict[str, str]:
    """Return the columns that all have: a study of validation queries tells them once."""
    return {name: label for name, label in _TOLD.items() if all(name in each for each in of)}


def _rng(*names: str) -> np.random.Generator:
    return generator(0, "start intervals", *names)


if __name__ == "__main__":
    main()
