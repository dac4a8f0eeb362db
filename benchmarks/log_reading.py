"""Reading a search log: CPU seconds a million records, against plain passes over the same files.

The peers parse every line and make nothing of it: `orjson.loads` on each line, and pyarrow's JSON
reader, which uses several threads. Each is run in a process of its own, for its peak of memory.
"""

import argparse
import importlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_START = datetime(2026, 9, 1, tzinfo=UTC)
_ITEMS = 50_000
_LISTED = 20
_EVENTS = 4  # of a search
_TICK = 0.01  # seconds: less of a processor is not told apart


def write_log(folder: Path, num_records: int, seed: int) -> None:
    """Write a UBI log: a fifth of its records are searches that list 20 items each."""
    rng = random.Random(seed)  # noqa: S311 - a benchmark's data
    words = [f"word{number}" for number in range(2000)]
    with (
        (folder / "queries.ndjson").open("w") as queries,
        (folder / "events.ndjson").open("w") as events,
    ):
        for number in range(num_records // (1 + _EVENTS)):
            at = _START + timedelta(seconds=2 * number)
            shared = {"application": "shop", "query_id": f"q{number:08d}",
                      "client_id": f"c{rng.randrange(100_000):06d}"}  # fmt: skip
            listed = [str(rng.randrange(_ITEMS)) for _ in range(_LISTED)]
            text = " ".join(rng.choices(words, k=3))
            record = {**shared, "user_query": text, "timestamp": at.isoformat()}
            queries.write(json.dumps({**record, "query_response_hit_ids": listed}) + "\n")
            for place in sorted(rng.sample(range(_LISTED), _EVENTS)):
                action = "click" if rng.random() < 0.8 else "add_to_cart"
                seen = {"object": {"object_id": listed[place], "object_id_field": "id"},
                        "position": {"ordinal": place + 1}}  # fmt: skip
                when = (at + timedelta(seconds=9 + place)).isoformat()
                event = {"action_name": action, "timestamp": when, "event_attributes": seen}
                events.write(json.dumps(shared | event) + "\n")


def read_smar(folder: Path) -> None:
    """Read the log as ingest does."""
    from smar.params import LogParams
    from smar.sources.quarantine import Quarantine
    from smar.sources.search_log import read_log

    params = LogParams(queries="queries.ndjson", events="events.ndjson")
    log = read_log(folder, params, {str(number) for number in range(_ITEMS)}, Quarantine())
    if not len(log.engagements):
        raise SystemExit("nothing was read")


def read_orjson(folder: Path) -> None:
    """Parse every line."""
    import orjson

    for path in sorted(folder.glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                orjson.loads(line)


def read_pyarrow(folder: Path) -> None:
    """Read every file into a table."""
    from pyarrow import json as arrow_json

    for path in sorted(folder.glob("*.ndjson")):
        arrow_json.read_json(path)


_READERS = {"orjson, each line": read_orjson, "pyarrow": read_pyarrow, "smar": read_smar}


_IMPORTED = {
    "orjson, each line": ("orjson",),
    "pyarrow": ("pyarrow.json",),
    "smar": ("smar.params", "smar.sources.search_log"),
}


def measure(name: str, folder: Path) -> dict[str, float]:
    """Return clock and CPU seconds of a reader, and its peak of memory, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.log_reading", "--read", name, str(folder)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def _read(name: str, folder: Path) -> None:
    for module in _IMPORTED.get(name, ()):
        importlib.import_module(module)
    wall, cpu = time.perf_counter(), time.process_time()
    _READERS[name](folder)
    figures = {
        "clock_s": round(time.perf_counter() - wall, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def main() -> None:
    """Print a line of JSON for each reader."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_100_000, help="of the log")
    parser.add_argument("--seed", type=int, default=0, help="of its content")
    parser.add_argument("--read", nargs=2, metavar=("READER", "FOLDER"), help="one of them alone")
    options = parser.parse_args()
    if options.read:
        _read(options.read[0], Path(options.read[1]))
        return
    with tempfile.TemporaryDirectory(prefix="smar-log-") as name:
        folder = Path(name)
        write_log(folder, options.records, options.seed)
        size = sum(path.stat().st_size for path in folder.iterdir())
        least = 0.0
        for reader in _READERS:
            figures = measure(reader, folder)
            took = max(figures["cpu_s"], _TICK)
            least = least or took
            line = {"reader": reader, "records": options.records, "mib": size >> 20, **figures}
            sys.stdout.write(json.dumps(line | {"over_orjson": took / least}) + "\n")


if __name__ == "__main__":
    main()
