"""Releases with and without what tells when, where and with what they were made.

releases/ keeps it; models/release, an output of the pipeline that others hash, does not.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from smar.artifacts import Manifest, read_manifest, write_manifest
from smar.replace import replacement

KIND = "release"
_ORIGIN = ("created", "provenance", "times")


def copy_release(source: Path, path: Path) -> None:
    """Make `path` a copy of a release without its origin, whole or not at all."""
    with replacement(path) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)
        write_manifest(temporary, without_origin(read_manifest(source, KIND)))


def without_origin(manifest: Manifest) -> Manifest:
    """Return a release's manifest as any machine would have written it."""
    details = {key: value for key, value in manifest.details.items() if key not in _ORIGIN}
    return replace(manifest, details=details, versions={}, git_commit="", seal="")


def is_same(one: Manifest, other: Manifest) -> bool:
    """Return whether two manifests are of one release, whatever they know of its origin."""
    return without_origin(one) == without_origin(other)


def told(manifest: Manifest) -> str:
    """Return when and from which commit a release was made, as far as it is known here."""
    created = manifest.details.get("created", "made elsewhere")
    return f"{created}, commit {manifest.git_commit[:8]}" if manifest.git_commit else str(created)
