"""The tables of SMAR and of Beyond Text: every row is trained for as many seconds of processor.

    python -m benchmarks.papers PROJECT --folder FOLDER

PROJECT is a folder in which `smar study prepare DATA` has run for each form of the data that is
asked for. FOLDER/DATA holds a table for every row and seed; what is there is not done again, so
that a killed run goes on. `--report` prints the tables of what there is.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from benchmarks.fair.results import Results
from benchmarks.papers.report import tables
from benchmarks.papers.rows import DATA, variants_of


def main() -> None:
    """Train and measure what is not done yet, then print the tables."""
    options = _options()
    if not options.report:
        from smar.logs import set_up_logging

        set_up_logging("smar", is_quiet=True)
        torch.set_num_threads(1)
        for data in options.data:
            _run(options, data)
    sys.stdout.write(tables(options.folder))


def _run(options: argparse.Namespace, data: str) -> None:
    """Do what is not done yet on a form of the data, all rows with a seed before the next one."""
    results = Results(options.folder / data)
    known = variants_of(data)
    chosen = [row for row in options.rows or known if row in known]
    missing = [
        (row, seed)
        for seed in options.seeds
        for row in chosen
        if seed not in {line["seed"] for line in results.finals(row)}
    ]
    if not missing:
        return
    from benchmarks.papers.measuring import measured
    from benchmarks.papers.training import Ground, trained

    ground = Ground(options.project, data)
    ground.read()
    for row, seed in missing:
        start = time.process_time()
        model, steps = trained(ground, ground.params(row, seed), options.seconds)
        line = {"seed": seed, "seconds": options.seconds, "steps": steps}
        line["training_s"] = round(time.process_time() - start, 1)
        facts, per_query = measured(ground, model, row, seed)
        line |= facts | {"processor_s": round(time.process_time() - start, 1)}
        results.add_final(row, line, per_query)
        sys.stdout.write(f"{data} {row} {line}\n")
        sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where results lie")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--rows", nargs="+", help="only these, in this order")
    parser.add_argument("--seconds", type=float, default=20, help="of processor, a row and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
