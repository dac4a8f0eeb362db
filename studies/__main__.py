"""The `smar-study` command, which `smar study` starts too."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from smar.cli import check_root, run_safely, shared_options
from smar.logs import set_up_logging

STEPS = {
    "prepare": "One form of the data, once for all its runs.",
    "run": "One variant on prepared data; an interrupted run goes on.",
    "report": "Tables and figures of all results there are.",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = "Variants of the pipeline on the same data, compared with error bars."
    parser = argparse.ArgumentParser(prog="smar study", description=line)
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for step, line in STEPS.items():
        part = steps.add_parser(step, help=line, description=line, parents=[shared_options()])
        if step != "report":
            part.add_argument("data", help="a name of the section data of studies/params.yaml")
        if step == "run":
            part.add_argument("variant", help="a name of its section variants")
            part.add_argument("seed", type=int, help="seed of queries, weights and batches")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Take one step of a study and return the exit code: 0 done, 2 an error the user can mend."""
    options = build_parser().parse_args(arguments)
    set_up_logging("smar", "studies", is_quiet=options.quiet)
    return run_safely("study", lambda: _take_step(options))


def _take_step(options: argparse.Namespace) -> None:
    from studies import report, run
    from studies.paths import StudyPaths
    from studies.plan import load_plan

    root: Path = options.root
    check_root(root)
    plan = load_plan(StudyPaths(root).plan)
    if options.step == "prepare":
        run.prepare(root, plan, options.data)
    elif options.step == "run":
        run.run(root, plan, options.data, options.variant, options.seed)
    else:
        page = report.write_study_report(root, plan)
        tables = (page.parent / "tables.md").read_text(encoding="utf-8")
        sys.stdout.write(f"{tables}\n{page.resolve()}\n")


if __name__ == "__main__":
    sys.exit(main())
