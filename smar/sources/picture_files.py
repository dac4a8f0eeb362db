"""Which file a picture's link means: inside the feed's folder, and nowhere else."""

import csv
import hashlib
import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of

FETCHED = "fetched_pictures"
FETCHED_LIST = "pictures.tsv"
LIST_COLUMNS = ("url", "file", "sha256", "bytes", "problem")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".bmp", ".tif", ".tiff")
_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://|//|data:", re.IGNORECASE)
_MAY_BE_URL = r"^(?i:[a-z][a-z0-9+.-]+://|//|data:)"  # and may be of a file, for Arrow
_MAX_BYTES = 64 * 2**20
_MAGIC = (
    (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"RIFF", ".webp"),
    (b"BM", ".bmp"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
)  # fmt: skip
FACTS = 4
"""Numbers that tell a file: device, inode, size, time of change."""
UNKNOWN = -1
"""In their place where nothing is known of a file."""
NOT_FETCHED = "is a URL; only files are read (`smar fetch-pictures` downloads them)"


class PictureMissingError(Exception):
    """There is no file to read; the text is the reason, as the quarantine says it."""


@dataclass(frozen=True)
class PictureFolder:
    """The folder of a feed.

    Args:
        root: The folder.
        roots: Folders outside of it that links of the file system may lead to.
        fetched: URL -> file, relative to the folder, of what was downloaded; "" for what could not
            be.
    """

    root: Path
    roots: Sequence[Path] = ()
    fetched: dict[str, str] = field(default_factory=dict)
    _names: dict[Path, dict[str, list[str]]] = field(default_factory=dict)
    _folders: dict[str, Path | None] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, roots: Sequence[str] = ()) -> "PictureFolder":
        """Return a folder with the list of its downloaded pictures, if there is one."""
        return cls(folder.resolve(), [Path(root).resolve() for root in roots], read_list(folder))

    def find(self, link: str, *, any_ending: bool) -> Path:
        """Return the file of a picture.

        Args:
            link: A path relative to the folder, or a URL that was downloaded before. Escapes
                (`%20`) and queries (`?v=1`) are undone where the path as it is does not exist.
            any_ending: Whether a file with another ending will do, for links that a template made.

        Raises:
            PictureMissingError: If there is none, with the reason.
        """
        if is_url(link):
            if not self.fetched.get(link):
                raise PictureMissingError(
                    "could not be downloaded" if link in self.fetched else NOT_FETCHED
                )
            link = self.fetched[link]
        plain = self._plain(link)
        if plain is not None:
            return plain
        leaves = False
        try:
            for candidate in _candidates(link, any_ending=any_ending):
                path = self._any_case(self.root / candidate).resolve()
                inside = [path.is_relative_to(root) for root in (self.root, *self.roots)]
                if (
                    Path(candidate).is_absolute()
                    or ".." in Path(candidate).parts
                    or not any(inside)
                ):
                    leaves = True
                elif path.is_file():
                    return path
        except (OSError, ValueError) as error:
            raise PictureMissingError("file cannot be read") from error
        raise PictureMissingError("leaves the feed's folder" if leaves else "file is missing")

    def facts_of(self, links: pa.Array) -> NDArray[np.int64]:
        """Return device, inode, size and time of change of the files that links name, [n, 4].

        They are those of the file that `find` gives, at a fiftieth of its cost: a folder is opened
        once, and its files are looked at from there.

        Returns:
            `UNKNOWN` where `find` has to look: the link leads out, or is spelled otherwise than the
            file, a link of the file system stands there, or nothing does.
        """
        facts = np.full((len(links), FACTS), UNKNOWN, np.int64)
        parents, names = _all_parted(self._fetched_of(links))
        coded = parents.dictionary_encode()
        numbers = numbers_of(coded.indices).astype(np.int64)
        places = np.argsort(numbers, kind="stable")  # those of one folder together
        files = names.take(pa.array(places)).to_pylist()
        ends = np.cumsum(np.bincount(numbers)).tolist()
        for parent, start, end in zip(coded.dictionary.to_pylist(), [0, *ends], ends, strict=False):
            if self._inside(parent) is not None:
                found = _facts_in(f"{self.root}/{parent}", files[start:end])
                facts[places[start:end]] = found
        return facts

    def _fetched_of(self, links: pa.Array) -> pa.Array:
        """Return links, in place of URLs the files that were downloaded, "" for none."""
        places = np.flatnonzero(pc.match_substring_regex(links, _MAY_BE_URL))
        if not len(places):
            return links
        paths = links.to_pylist()
        for place in places.tolist():
            if is_url(paths[place]):
                paths[place] = self.fetched.get(paths[place], "")
        return pa.array(paths, links.type)

    def _plain(self, link: str) -> Path | None:
        """Return the plain file that a link names as it stands, None if one has to look for it."""
        parent, name = _parted(link)
        folder = self._inside(parent)
        with suppress(OSError, ValueError):
            if folder is not None and stat.S_ISREG(os.lstat(folder / name).st_mode):
                return folder / name
        return None

    def _inside(self, parent: str) -> Path | None:
        """Return a folder, as links name it, if it lies inside, wherever it is linked to."""
        if parent not in self._folders:
            self._folders[parent] = None
            with suppress(OSError, ValueError):
                path = (self.root / parent).resolve()
                is_named_so = not Path(parent).is_absolute() and ".." not in Path(parent).parts
                if is_named_so and any(path.is_relative_to(r) for r in (self.root, *self.roots)):
                    self._folders[parent] = path
        return self._folders[parent]

    @staticmethod
    def content(path: Path) -> bytes:
        """Return the bytes of a file that `find` gave.

        Raises:
            PictureMissingError: If it cannot be read or is too large, with the reason.
        """
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise PictureMissingError(f"file is larger than {_MAX_BYTES // 2**20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise PictureMissingError("file cannot be read") from error

    def _any_case(self, path: Path) -> Path:
        """Return a path, or the one file beside it whose name differs by case or accents alone.

        Feeds made on Windows name `a.jpg` what is `A.JPG` on disk, and macOS writes an accent as a
        character of its own.
        """
        if path.exists():
            return path
        folder = path.parent
        if folder not in self._names:
            names: dict[str, list[str]] = defaultdict(list)
            for entry in folder.iterdir() if folder.is_dir() else ():
                names[_folded(entry.name)].append(entry.name)
            self._names[folder] = names
        same = self._names[folder].get(_folded(path.name), [])
        return folder / same[0] if len(same) == 1 else path


def _facts_in(folder: str, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the facts of one folder's plain files, [n, 4], `UNKNOWN` of what else is named."""
    unknown = (UNKNOWN,) * FACTS
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (OSError, ValueError):
        return np.full((len(names), FACTS), UNKNOWN, np.int64)
    found = []
    try:
        for name in names:
            try:
                seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except (OSError, ValueError):
                found.append(unknown)
                continue
            # The time of the last change of content or name: unlike mtime it cannot be set.
            facts = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_ctime_ns)
            found.append(facts if stat.S_ISREG(seen.st_mode) else unknown)
    finally:
        os.close(descriptor)
    each = chain.from_iterable(found)
    return np.fromiter(each, np.int64, FACTS * len(names)).reshape(-1, FACTS)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def ending_of(content: bytes | bytearray) -> str:
    """Return the ending of a picture by its first bytes, "" if they are of no kind known here."""
    return next((ending for start, ending in _MAGIC if content.startswith(start)), "")


def is_url(link: str) -> bool:
    """Return whether a link leads to another machine, or holds its data itself."""
    return _URL.match(link) is not None


def _parted(link: str) -> tuple[str, str]:
    """Return the folder that a link names, and the file in it."""
    parent, slash, name = link.rpartition("/")
    return parent or slash, name


def _all_parted(links: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the folders that links name, and the files in them, as `_parted`, [n] each."""
    parts = pc.split_pattern(links, "/", max_splits=1, reverse=True)
    bounds = numbers_of(parts.offsets)
    first, last = (parts.values.take(pa.array(p)) for p in (bounds[:-1], bounds[1:] - 1))
    parents = pc.if_else(pc.equal(first, ""), "/", first)
    return pc.if_else(pa.array(np.diff(bounds) == 2), parents, ""), last


def _candidates(link: str, *, any_ending: bool) -> Iterator[str]:
    """Yield the paths that a link may mean, the likeliest first."""
    plain = [link, link.replace("\\", "/")]
    decoded = [unquote(path.partition("?")[0].partition("#")[0]) for path in plain]
    tried: set[str] = set()
    for path in [*plain, *decoded]:
        stem = (
            path.removesuffix(Path(path).suffix) if Path(path).suffix.lower() in ENDINGS else path
        )
        endings = [f"{stem}{e}" for e in (*ENDINGS, *map(str.upper, ENDINGS[:3]))]
        for candidate in [path, *(endings if any_ending else [])]:
            if candidate and candidate not in tried:
                tried.add(candidate)
                yield candidate


def fetched_file(url: str, ending: str) -> str:
    """Return where a downloaded picture lies, relative to the feed's folder."""
    name = hashlib.sha256(url.encode()).hexdigest()[:32]
    return f"{FETCHED}/{name[:2]}/{name}{ending}"


def read_list(folder: Path) -> dict[str, str]:
    """Return URL -> file of the pictures that were downloaded; "" for what could not be."""
    return {row["url"]: row["file"] for row in read_rows(folder)}


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the list of downloaded pictures, none if there is no list."""
    path = folder / FETCHED / FETCHED_LIST
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        return [{name: row.get(name) or "" for name in LIST_COLUMNS} for row in rows if row["url"]]
