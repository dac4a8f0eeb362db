"""How often drift is reported where there is none, and whether planted drifts are found.

    python -m benchmarks.drift_calibration PROJECT [--resamples N] [--first NUMBER]

PROJECT is a project with a release, for example the demo shop's after `dvc repro`. Its shop is
compared with itself some days later, N times, and so are two random halves of it; nothing moved, so
every verdict but "keep" is a false alarm. Then five drifts are planted. Thresholds are those of
params.yaml.
--first is the number of the first resample: choose thresholds on some, and report others.
"""

import argparse
import time
from pathlib import Path

from smar.monitoring.calibration import (
    DRIFTS,
    compare_dates,
    compare_halves,
    false_alarm_bound,
)
from smar.monitoring.snapshot import read_shop
from smar.monitoring.verdict import KEEP
from smar.params import load_params
from smar.paths import Paths
from smar.service.retriever import Retriever


def main(root: Path, resamples: int, first: int) -> None:
    params = load_params(Paths(root).params)
    shop, retriever = read_shop(Paths(root)), Retriever.load(root)

    start = time.perf_counter()
    for kind, compare in (("dates", compare_dates), ("halves", compare_halves)):
        false_alarms = 0
        for number in range(first, first + resamples):
            verdict = compare(shop, retriever, params, number)
            false_alarms += verdict.verdict != KEEP
            nearest = verdict.judged[0].signal
            print(
                f"{kind} {number}: {verdict.verdict} {verdict.reasons or ''} nearest "
                f"{nearest.name} {nearest.value:.3f}",
                flush=True,
            )
        bound = false_alarm_bound(false_alarms, resamples)
        print(f"{kind}: false alarms: {false_alarms} of {resamples}: at most {bound:.1%}")
        for name, (plant, signals) in DRIFTS.items():
            verdict = compare(shop, retriever, params, 1000, plant)
            alarms = {one.signal.name for one in verdict.judged if one.alarm}
            found = "found" if alarms & signals else "MISSED"
            print(f"{kind}, {name}: {found}, {verdict.verdict}: {', '.join(sorted(alarms))}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    main(options.project, options.resamples, options.first)
