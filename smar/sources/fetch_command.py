"""`smar fetch-pictures`: the pictures that a feed names by URL, on this disk."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from smar.errors import ParamsError

LINE = "A feed's pictures that are named by URL, downloaded beside the feed."


def add_command(commands: Any, shared: ArgumentParser) -> None:
    """Add the command with its arguments to the commands of a parser."""
    fetch = commands.add_parser("fetch-pictures", help=LINE, description=LINE, parents=[shared])
    fetch.add_argument("--per-host", type=int, default=2, help="connections to a host (default: 2)")
    fetch.add_argument("--delay", type=float, default=0.1, help="seconds between (default: 0.1)")
    fetch.add_argument("--allow-private", action="store_true", help="reach private addresses too")
    line = "a bucket or a folder of one that may be read, such as s3://pictures (repeatable)"
    fetch.add_argument("--store", action="append", default=[], metavar="URL", help=line)


def run(options: Namespace) -> None:
    """Download the pictures and print how many there were.

    Raises:
        ParamsError: If an argument is out of range, or a store is none.
    """
    from smar.params import load_params
    from smar.sources.feed import read_feed
    from smar.sources.picture_fetching import FetchLimits, fetch_pictures
    from smar.sources.picture_files import FETCHED, is_url
    from smar.sources.picture_stores import check_stores
    from smar.sources.quarantine import Quarantine

    if options.per_host < 1 or options.delay < 0:
        raise ParamsError("--per-host must be at least 1, --delay at least 0.")
    check_stores(options.store)
    params = load_params(options.root / "params.yaml").ingest
    folder = options.root / params.folder
    feed = read_feed(folder, params.feed, Quarantine())
    urls = [link for link in feed.pictures.links.to_pylist() if is_url(link)]
    limits = FetchLimits(
        options.per_host,
        options.delay,
        allow_private=options.allow_private,
        stores=options.store,
    )
    counts = fetch_pictures(folder, urls, limits)
    numbers = ", ".join(f"{number} {name}" for name, number in counts.items())
    sys.stdout.write(f"{folder / FETCHED}: {numbers}\n")
