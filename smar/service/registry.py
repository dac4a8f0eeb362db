"""Releases on disk: immutable directories, and one link that says which of them is current.

    releases/v1/ v2/ v3/     complete directory artefacts that never change again
    releases/current -> v3   replaced by one rename: a reader sees the old release or the new one
    releases/history.jsonl   every switch, oldest first

A reader resolves the link once and reads everything from the directory behind it, so that it never
holds a mixture. `models/release` is a copy of the current release as an output of the pipeline; it
stands in for `current` where no release was made, as in a clone that pulled it. This module imports
nothing heavy: a rollback takes a fraction of a second.
"""

import fcntl
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from smar.artifacts import (
    Manifest,
    read_manifest,
    write_directory,
)
from smar.errors import ArtifactError, ReleaseError, near_match
from smar.paths import Paths
from smar.replace import write_file
from smar.service import origin

KIND = origin.KIND
AUTO, CURRENT, NONE = "auto", "current", "none"
_VERSION = re.compile(r"v([1-9]\d*)")


@dataclass(frozen=True)
class Switch:
    """One change of the current release.

    Args:
        event: "promote", "rollback", or "pull" for one that another clone made.
        version: What became current.
        previous: What was current before, "" for nothing.
        at: When, ISO 8601 in UTC.
    """

    event: str
    version: str
    previous: str
    at: str


def versions(root: Path) -> list[str]:
    """Return the versions that are on disk, oldest first."""
    folder = Paths(root).releases
    names = [path.name for path in folder.glob("v*") if path.is_dir()] if folder.is_dir() else []
    return sorted((name for name in names if _VERSION.fullmatch(name)), key=number_of)


def current_version(root: Path) -> str:
    """Return the version that `current` points to, "" before the first promotion."""
    link = Paths(root).releases / CURRENT
    return str(link.readlink()) if link.is_symlink() else ""


def find_release(root: Path, release: str) -> Path | None:
    """Return the directory of a release, None for the working tree.

    Args:
        root: The project's root folder.
        release: A version; "current"; "none" for the working tree's outputs; "auto" for the
            current release if there is one, else the working tree.

    Raises:
        ReleaseError: If there is no such release; names those there are.
    """
    if release == NONE:
        return None
    paths = Paths(root)
    if release not in {AUTO, CURRENT}:
        _check_known(root, release)
        return paths.releases / release
    version = current_version(root)
    if version:
        if not (paths.releases / version).is_dir():
            raise ReleaseError(
                f"{paths.releases / CURRENT}: points to '{version}', which is not there; there "
                f"are {_listed(root)}. Run `smar rollback VERSION` with one of them, or bring "
                f"'{version}' back: `dvc get . models/release --rev smar@{version} "
                f"-o releases/{version}`."
            )
        return paths.releases / version
    if (paths.release / "model").is_dir():
        return paths.release
    if release == CURRENT:
        raise ReleaseError(
            f"{paths.releases}: no release is current. Run `dvc repro` to make one, or "
            "`dvc pull promote` to fetch one that was pushed."
        )
    return None


def read_release(root: Path, version: str) -> Manifest:
    """Return the manifest of a release after checking that its files are there, with their sizes.

    Raises:
        ReleaseError: If there is no such release.
        ArtifactError: If it is damaged.
    """
    _check_known(root, version)
    return read_manifest(Paths(root).releases / version, KIND)


def publish(root: Path, fill: Callable[[Path], None], manifest: Manifest, *, expected: str) -> str:
    """Write the next release and make it current; return its version.

    Args:
        root: The project's root folder.
        fill: Writes the release's files into an empty folder.
        manifest: Its manifest; `details` gets version, previous and created.
        expected: The version that the candidate was compared with.

    A number that was ever given on this disk, came with a pull or stands in a git tag is not given
    again.

    Raises:
        ReleaseError: If another release became current in the meantime.
    """
    with locked(root):
        _check_unchanged(root, expected)
        version = f"v{max(map(number_of, _taken(root)), default=0) + 1}"
        manifest.details |= {"version": version, "previous": expected, "created": _now()}
        path = Paths(root).releases / version
        with write_directory(path, manifest) as folder:
            fill(folder)
            protect(folder)
        switch_to(root, version, "promote")
    return version


def finish_publishing(root: Path, version: str, *, expected: str) -> None:
    """Make a complete release current whose writer was killed before it could.

    Raises:
        ReleaseError: If another release became current in the meantime.
    """
    with locked(root):
        _check_unchanged(root, expected)
        read_release(root, version)
        switch_to(root, version, "promote")


def tagged_versions(root: Path) -> list[str]:
    """Return the versions that git tags `smar@vN` name, oldest first; none without git."""
    try:
        found = subprocess.run(
            ["git", "tag", "--list", "smar@v*"],  # noqa: S607 - found on PATH, or not there
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return []
    names = [line.removeprefix("smar@") for line in found.stdout.split()]
    return sorted((name for name in names if _VERSION.fullmatch(name)), key=number_of)


def rollback(root: Path, version: str = "") -> Switch:
    """Make an earlier release current and return the switch; models/release follows it.

    Args:
        root: The project's root folder.
        version: Which; "" = the one that the current release replaced.

    Raises:
        ReleaseError: If there is no such release, or it is current already.
        ArtifactError: If it is damaged; `current` stays as it is.
    """
    with locked(root):
        now = current_version(root)
        version = version or _before(root, now)
        read_release(root, version)
        if version == now:
            raise ReleaseError(f"{version} is the current release already; nothing was done.")
        switch = switch_to(root, version, "rollback")
        if Paths(root).release.is_dir():
            origin.copy_release(Paths(root).releases / version, Paths(root).release)
        return switch


def history(root: Path) -> list[Switch]:
    """Return every switch, oldest first."""
    file = Paths(root).releases / "history.jsonl"
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Switch(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise ArtifactError(
            f"{file}: not a history of releases ({error}). It is a record only: move it away."
        ) from error


def was_current(root: Path, version: str) -> bool:
    """Return whether a release ever was the current one."""
    return version == current_version(root) or version in {s.version for s in history(root)}


def _before(root: Path, version: str) -> str:
    """Return the version that a release replaced, or the next older one that is still there."""
    if not version:
        raise ReleaseError(
            f"{Paths(root).releases}: no release is current, so none can be rolled back. Name one "
            f"of {_listed(root)}."
        )
    present = versions(root)
    if version in present:
        replaced = str(read_release(root, version).details["previous"])
        if replaced in present:
            return replaced
    older = [name for name in present if number_of(name) < number_of(version)]
    if not older:
        raise ReleaseError(
            f"{version} is the oldest release on this disk; there is nothing to roll back to. "
            f"There are {_listed(root)}."
        )
    return older[-1]


def switch_to(root: Path, version: str, event: str) -> Switch:
    """Make a release current, which is one rename, and write down that it is; hold the lock."""
    folder = Paths(root).releases
    switch = Switch(event, version, current_version(root), _now())
    lines = [json.dumps(asdict(entry)) for entry in [*history(root), switch]]
    link = folder / f".{CURRENT}.tmp-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    link.replace(folder / CURRENT)
    with write_file(folder / "history.jsonl") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return switch


def _taken(root: Path) -> list[str]:
    """Return every version whose number was given, as far as this disk knows."""
    known = [*versions(root), *(switch.version for switch in history(root))]
    with suppress(ArtifactError):
        known.append(str(read_manifest(Paths(root).release, KIND).details["version"]))
    return [*known, *tagged_versions(root)]


def protect(folder: Path) -> None:
    """Make files read-only: a slip of the hand meets an error, not a release."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o444)


def _check_known(root: Path, version: str) -> None:
    present = versions(root)
    if version not in present:
        raise ReleaseError(
            f"there is no release '{version}' in {Paths(root).releases.resolve()}; there are "
            f"{_listed(root)}.{near_match(version, present)} `smar releases` lists them; "
            f"`dvc get . models/release --rev smar@{version} -o releases/{version}` fetches one "
            "that was tagged."
        )


def _check_unchanged(root: Path, expected: str) -> None:
    now = current_version(root)
    if now != expected:
        raise ReleaseError(
            f"the current release changed from '{expected or NONE}' to '{now or NONE}' while the "
            "candidate was compared with it. Run `dvc repro promote` again."
        )


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the registry's lock; the system gives it back when its holder dies."""
    folder = Paths(root).releases
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _listed(root: Path) -> str:
    return ", ".join(versions(root)) or "none yet"


def number_of(version: str) -> int:
    """Return the number of a version, 0 if it is none."""
    match = _VERSION.fullmatch(version)
    return int(match.group(1)) if match else 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
