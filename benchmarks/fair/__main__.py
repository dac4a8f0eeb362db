"""The fair study: every system gets smar's recipe, equal trials and equal seconds of processor.

    python -m benchmarks.fair PROJECT --data fashion_small_pictures --folder FOLDER

PROJECT is a folder in which `smar study prepare DATA` has run. Each system is trained for
`--trials` settings, the first of them smar's recipe and the others drawn, `--trial-seconds` each;
the settings with the best R@50 on validation queries are trained for `--final-seconds` with each of
`--seeds` and measured on the test queries. What is done lies in FOLDER, a line of JSON for each
trial, and is not done again. `--report` writes the tables of what there is.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.fair.report import tables
from benchmarks.fair.results import Results
from benchmarks.fair.space import SPACES


def main() -> None:
    """Run what is not done yet, then print the tables."""
    options = _options()
    results = Results(options.folder)
    if not options.report:
        from benchmarks.fair.running import Study
        from smar.logs import set_up_logging

        set_up_logging("smar", is_quiet=True)
        torch.set_num_threads(1)
        Study(options, results).run()
    sys.stdout.write(tables(results, options.systems))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--data", default="fashion_small_pictures")
    parser.add_argument("--folder", type=Path, required=True, help="where results lie")
    parser.add_argument("--systems", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--trials", type=int, default=20, help="of each system")
    parser.add_argument("--trial-seconds", type=float, default=25)
    parser.add_argument("--final-seconds", type=float, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--draw-seed", type=int, default=7, help="of settings and choices")
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
