"""Artefacts that appear whole or not at all, each directory with a manifest.

An output is written under a temporary name beside its place and renamed when it is complete, so
that a reader, or a process killed at any moment, never sees half of it.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from smar.errors import ArtifactError
from smar.replace import put_back, replacement, write_file

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(kw_only=True)
class Manifest:
    """What a directory artefact is and where it comes from; stored as manifest.json.

    Args:
        kind: What the directory holds, for example "embeddings"; readers refuse another kind.
        inputs: Digest of every input, by path relative to the project root.
        params: The parameters that made it.
        counts: Row counts and sizes worth a look, by name.
        dropped: How many rows were left out, by reason.
        details: Anything else a reader needs to use the artefact.
        files: Size and SHA-256 of every file beside the manifest (filled in when written).
        versions: Library versions; a release names them, outputs of stages do not (`provenance`).
        git_commit: The project's commit, "" outside or without git; as with `versions`.
        format: Version of the on-disk format.
        seal: Digest of all the other fields (filled in when written).
    """

    kind: str
    inputs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str = ""
    format: int = FORMAT
    seal: str = ""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a directory's manifest (which holds its files').

    Raises:
        ArtifactError: If nothing is there, or a directory has no manifest.
    """
    put_back(path)
    target = path / MANIFEST if path.is_dir() else path
    if not target.is_file():
        raise ArtifactError(
            f"{target}: not found, though a later step reads it. Run `dvc repro` to make it."
        )
    with target.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def digests(root: Path, *paths: Path) -> dict[str, str]:
    """Return the digest of every path, keyed by its place relative to `root`."""
    return {os.path.relpath(path, root): digest(path) for path in paths}


@contextmanager
def write_directory(path: Path, manifest: Manifest) -> Iterator[Path]:
    """Yield an empty folder that replaces `path`, manifest included, when the block succeeds.

    The block may still fill in `manifest`; files that it names there, with their size and SHA-256,
    are not hashed again. If it raises or the process dies, `path` is as before.
    """
    manifest.files = {}  # those of a manifest that was read are of other files
    with replacement(path) as temporary:
        yield temporary
        known = manifest.files
        manifest.files = {
            str(file.relative_to(temporary)): known.get(str(file.relative_to(temporary)))
            or {"bytes": file.stat().st_size, "sha256": digest(file)}
            for file in sorted(temporary.rglob("*"))
            if file.is_file()
        }
        write_manifest(temporary, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Seal a manifest and write it into a folder whose files it names."""
    manifest.seal = _seal(vars(manifest))
    write_json(folder / MANIFEST, vars(manifest))


def copy_directory(source: Path, path: Path) -> None:
    """Make `path` an exact copy of the directory artefact `source`, whole or not at all."""
    with replacement(path) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; NaN is refused because JSON has none."""
    with write_file(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=str)
        temporary.write_text(text + "\n", encoding="utf-8")


def _none(_: str) -> bool:
    return False


def read_manifest(path: Path, kind: str, *, aside: Callable[[str], bool] = _none) -> Manifest:
    """Return the manifest of a directory after checking its kind, format and file sizes.

    Args:
        path: The directory.
        kind: What it has to hold.
        aside: Whether a file is not looked at, by name: whoever uses it asks what it is.

    Raises:
        ArtifactError: If the directory is missing, of another kind, newer than this library, or a
            file in it is missing or of another size.
    """
    put_back(path)
    file = path / MANIFEST
    if not file.is_file():
        raise ArtifactError(f"{path}: no {MANIFEST} there. Run `dvc repro` to make it.")
    try:
        manifest = Manifest(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file}: not a manifest ({error}). Run `dvc repro` again.") from error
    if manifest.kind != kind:
        raise ArtifactError(f"{path}: holds '{manifest.kind}', expected '{kind}'.")
    if manifest.format > FORMAT:
        raise ArtifactError(
            f"{path}: written in format {manifest.format}; this version of smar reads up to "
            f"{FORMAT}. Upgrade smar."
        )
    if manifest.seal and manifest.seal != _seal(vars(manifest)):
        raise ArtifactError(
            f"{file}: damaged: its fields are not what was written. Restore it with `dvc checkout`,"
            " or make it again with `dvc repro`."
        )
    problems = []
    for name, facts in manifest.files.items():
        part = path / name
        if aside(name):
            continue
        size = part.stat().st_size if part.is_file() else None
        if size != facts["bytes"]:
            seen = "missing" if size is None else f"{size} bytes"
            problems.append(f"{name} is {seen}, expected {facts['bytes']} bytes")
    if problems:
        raise ArtifactError(
            f"{path}: damaged: {'; '.join(problems)}. Restore it with `dvc checkout`, or make it "
            "again with `dvc repro`."
        )
    return manifest


def verify_directory(
    path: Path,
    kind: str,
    *,
    unchanged: Collection[str] = (),
    aside: Callable[[str], bool] = _none,
) -> Manifest:
    """Return the manifest after re-hashing every file of the directory.

    Args:
        path: The directory.
        kind: What it has to hold.
        unchanged: Files that are known to be what they were when they were hashed last.
        aside: As of `read_manifest`.

    Raises:
        ArtifactError: As `read_manifest`, or if a file's content changed.
    """
    manifest = read_manifest(path, kind, aside=aside)
    changed = [
        name
        for name, facts in manifest.files.items()
        if not (name in unchanged or aside(name)) and digest(path / name) != facts["sha256"]
    ]
    if changed:
        raise ArtifactError(
            f"{path}: the content of {', '.join(changed)} is not what was written. Restore it with "
            "`dvc checkout`, or make it again with `dvc repro`."
        )
    return manifest


def _seal(fields: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in fields.items() if name != "seal"}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode()).hexdigest()
