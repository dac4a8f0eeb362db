"""A release that is promoted and rolled back while shoppers search, for `benchmarks.serving`."""

import json
import os
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.serving_process import start_load
from smar.artifacts import read_manifest, write_manifest
from smar.service import registry

_OF_INDEX = "index/manifest.json"
_SHOPPERS = 8


def switch_under_load(
    root: Path, port: int, kind: str, workers: int, seconds: float
) -> dict[str, Any]:
    """Return what shoppers saw in so many seconds, while a release was promoted and rolled back.

    The second release has the files of the first, as links, and gives the words another share, so
    that it finds other items.
    """
    load, end = start_load(root, port, kind, _SHOPPERS, seconds), time.monotonic() + seconds
    assert load.stdout is not None  # noqa: S101 - for the types
    load.stdout.readline()  # it has begun
    now = registry.current_version(root)
    time.sleep(seconds / 9)
    made = _publish_other_share(root, now)
    taken_s = _taken_after(port, made, workers, end)
    time.sleep(max(0.0, min(seconds / 9, end - time.monotonic())))
    registry.rollback(root)
    back_s = _taken_after(port, now, workers, end)
    left_s = end - time.monotonic()
    found = json.loads(load.communicate()[0].splitlines()[-1])
    shutil.rmtree(root / "releases" / made)
    return found | {"taken_after_s": taken_s, "back_after_s": back_s, "load_went_on_s": left_s}


def _publish_other_share(root: Path, version: str) -> str:
    """Publish a release of the same files that gives the words half of their share, or .3."""
    source = root / "releases" / version
    manifest = read_manifest(source, registry.KIND)
    known = {name: facts for name, facts in manifest.files.items() if name != _OF_INDEX}

    def fill(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True, copy_function=os.link)
        for changed in (folder / "manifest.json", folder / _OF_INDEX):
            changed.unlink()
        index = read_manifest(source / "index", "index")
        index.details["word_share"] = index.details["word_share"] / 2 or 0.3
        write_manifest(folder / "index", index)
        manifest.files = known  # no link is hashed again

    return registry.publish(root, fill, manifest, expected=version)


def _taken_after(port: int, version: str, workers: int, end: float) -> float:
    """Return after how many seconds all processes answer from a release; -1 for not by the end."""
    start = time.monotonic()
    wanted = f'smar_release{{release="{version}"}} {workers}.0'
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            if wanted in response.read().decode():
                return time.monotonic() - start
        time.sleep(0.1)
    return -1.0
