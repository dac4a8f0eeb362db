"""python -m tests.cases FOLDER [NAME ...]: every case of a folder, ingested and judged.

A case is a folder with case.yaml (`what` it is, the `settings` that differ from params.yaml, and
what is right under `expect`) and raw/. For cases without `expect`, right.yaml knows what is right
by name. A case that neither knows is read, and is wrong if it crashes or if a refusal names
nothing to change; otherwise it is to be judged by eye.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.cases.running import Outcome, differences, run_case

_WIDTH = 300


def right_of(folder: Path) -> dict[str, Any] | None:
    """Return what is right for a case, None if nobody said."""
    case = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    if "expect" in case:
        return dict(case["expect"])
    table = yaml.safe_load(Path(__file__).with_name("right.yaml").read_text(encoding="utf-8"))
    known = table.get(folder.name)
    return dict(known) if known else None


def verdict_of(outcome: Outcome, right: dict[str, Any] | None) -> tuple[str, list[str]]:
    """Return right, wrong or unjudged, and what is wrong."""
    if right is not None:
        wrong = differences(outcome, right)
        return ("wrong" if wrong else "right"), wrong
    if outcome.crash:
        return "wrong", ["it crashed"]
    if (
        outcome.refusal
        and "params.yaml" not in outcome.refusal
        and "ingest." not in outcome.refusal
    ):
        return "wrong", ["the refusal names no setting to change"]
    return "unjudged", []


def main(arguments: list[str]) -> int:
    """Print case, outcome, right value and verdict of every case; return 1 if any is wrong."""
    if not arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder, names = Path(arguments[0]), set(arguments[1:])
    cases = [path.parent for path in sorted(folder.glob("*/case.yaml"))]
    counted: Counter[str] = Counter()
    for case in cases:
        if names and case.name not in names:
            continue
        outcome, right = run_case(case), right_of(case)
        verdict, wrong = verdict_of(outcome, right)
        counted[verdict] += 1
        sys.stdout.write(f"{case.name}\n  outcome: {outcome.summary()[:_WIDTH]}\n")
        text = "not known" if right is None else yaml.safe_dump(right, default_flow_style=True)
        sys.stdout.write(f"  right:   {' '.join(text.split())[:_WIDTH]}\n  verdict: {verdict}\n")
        sys.stdout.writelines(f"    {problem[: 2 * _WIDTH]}\n" for problem in wrong)
        sys.stdout.flush()
    total = ", ".join(f"{counted[v]} {v}" for v in ("right", "wrong", "unjudged") if counted[v])
    sys.stdout.write(f"{sum(counted.values())} cases: {total or 'none'}\n")
    return 1 if counted["wrong"] or not counted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
