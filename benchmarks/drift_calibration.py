"""How often drift is reported where there is none, and whether planted drifts are found.

    .venv/bin/python benchmarks/drift_calibration.py PROJECT [--resamples N] [--first NUMBER]

PROJECT is a project with a release, for example the demo shop's after `dvc repro`. Its shop is
split at random into two halves, N times; nothing moved, so every verdict but "keep" is a
false alarm. Then five drifts are planted into a second half. Thresholds are those of params.yaml.
--first is the number of the first resample: choose thresholds on some, and report others.
"""

import argparse
import time
from pathlib import Path

from smar.monitoring.calibration import DRIFTS, Plant, split_shop
from smar.monitoring.drift import compare_snapshots
from smar.monitoring.snapshot import read_shop, take_snapshot
from smar.monitoring.verdict import KEEP, DriftVerdict
from smar.params import load_params
from smar.paths import Paths
from smar.seeding import generator
from smar.service.retriever import Retriever


def main(root: Path, resamples: int, first: int) -> None:
    params = load_params(Paths(root).params)
    shop, retriever = read_shop(Paths(root)), Retriever.load(root)

    def compare(number: int, plant: Plant | None = None) -> DriftVerdict:
        rng = generator(params.seed, "calibration", number)
        then, now = split_shop(shop, rng)
        if plant:
            now = plant(now, rng)
        reference, current = (
            take_snapshot(half, retriever, params.evaluate, number) for half in (then, now)
        )
        metric = params.evaluate.primary
        return compare_snapshots(reference, current, params.drift, metric).verdict

    start = time.perf_counter()
    false_alarms = 0
    for number in range(first, first + resamples):
        verdict = compare(number)
        false_alarms += verdict.verdict != KEEP
        nearest = verdict.judged[0].signal
        print(
            f"{number}: {verdict.verdict} {verdict.reasons or ''} nearest {nearest.name} "
            f"{nearest.value:.3f}",
            flush=True,
        )
    print(f"false alarms: {false_alarms} of {resamples}")
    for name, (plant, signals) in DRIFTS.items():
        verdict = compare(1000, plant)
        alarms = {one.signal.name for one in verdict.judged if one.alarm}
        found = "found" if alarms & signals else "MISSED"
        print(f"{name}: {found}, {verdict.verdict}: {', '.join(sorted(alarms))}", flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    main(options.project, options.resamples, options.first)
