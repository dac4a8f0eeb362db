"""A release that another clone made and a pull brought into models/release."""

from pathlib import Path

from smar.artifacts import Manifest, copy_directory, read_manifest
from smar.errors import ArtifactError, ReleaseError
from smar.paths import Paths
from smar.service.origin import is_same, told
from smar.service.registry import (
    KIND,
    current_version,
    locked,
    number_of,
    protect,
    read_release,
    switch_to,
    versions,
)


def adopt(root: Path) -> str:
    """Take a release that was pulled into models/release in among the others; return its version.

    It becomes current if none is or if its number is higher than all that were known; so what comes
    next is compared with it and numbered after it. Nothing happens, and "" is returned, where
    models/release holds nothing or a release that is known.

    Raises:
        ReleaseError: If another release has its number: two clones gave it.
        ArtifactError: If it is damaged and there is no other.
    """
    pulled = Paths(root).release
    if not (pulled / "model").is_dir():
        return ""
    with locked(root):
        try:
            manifest = read_manifest(pulled, KIND)
        except ArtifactError:
            if current_version(root):
                return ""
            raise
        version = str(manifest.details["version"])
        if version in versions(root):
            _check_same(root, version, manifest)
            return ""
        is_newest = number_of(version) > max(map(number_of, versions(root)), default=0)
        copy_directory(pulled, Paths(root).releases / version)
        protect(Paths(root).releases / version)
        if is_newest or not current_version(root):
            switch_to(root, version, "pull")
    return version


def _check_same(root: Path, version: str, pulled: Manifest) -> None:
    try:
        own = read_release(root, version)
    except ArtifactError:
        return  # damaged, and said so wherever it is read
    if not is_same(own, pulled):
        made = [told(own), told(pulled)]
        raise ReleaseError(
            f"{Paths(root).releases / version} ({made[0]}) and {Paths(root).release} ({made[1]}) "
            f"are two releases of one number: two clones gave it. Move yours away (`mv "
            f"{Paths(root).releases / version} ELSEWHERE`) to go on from the other one."
        )
