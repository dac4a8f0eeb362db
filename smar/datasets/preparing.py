"""A data set as the raw files of a shop, and the parameters that read them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from smar.artifacts import write_json
from smar.datasets.dataset import Dataset, Label, Row, Source
from smar.datasets.folders import find_source
from smar.errors import DataError, ParamsError, near_match
from smar.replace import link_or_copy, replacement

MARK = "dataset.json"
ARGUMENTS = "settings.args"
_FEED, _QUERIES, _LABELS, _LOG = "products.jsonl", "queries.jsonl", "labels.jsonl", "log.jsonl"
_AS_GOOGLE = {"category": "product_type", "colour": "color"}
_FREE = (".columns.", ".quarantine_limits.")  # sections whose keys are the user's
_ENDINGS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
)


@dataclass(frozen=True)
class Prepared:
    """What was written.

    Args:
        counts: Items, pictures, links, queries, labels and clicks.
        differences: Where they are not as published.
        settings: Parameters by their full names.
    """

    counts: Mapping[str, int]
    differences: list[str]
    settings: Mapping[str, Any]


def prepare(
    dataset: Dataset, source: Path, target: Path, part: str = "", *, folder: Path | None = None
) -> Prepared:
    """Write a data set as a feed with pictures, judgements and a log; whole, or not at all.

    Args:
        dataset: What the folder holds.
        source: Where it was downloaded to; is only read.
        target: New, empty, or made by this before.
        part: One of the data set's parts, "" for the first.
        folder: What `ingest.folder` has to say; the target itself unless it is given.

    Raises:
        ParamsError: If there is no such part.
        DataError: If the source is not the data set, or the target holds something else.
    """
    part = part_of(dataset, part)
    check_target(target, source)
    found = find_source(dataset, source)
    with replacement(target) as temporary:
        counts = _write_items(dataset, found, part, temporary)
        if dataset.labels:
            counts |= _write_labels(dataset.labels(found, part), temporary)
        if dataset.engaged:
            counts["clicks"] = _write_log(dataset.engaged(found, part), temporary)
        settings = _settings(dataset, counts, folder or target)
        lines = [f"-S {_argument(name, value)}\n" for name, value in settings.items()]
        (temporary / ARGUMENTS).write_text("".join(lines), encoding="utf-8")
        about = {name: getattr(dataset, name) for name in ("name", "title", "licence", "origin")}
        write_json(temporary / MARK, {**about, "part": part, "counts": counts})
    return Prepared(counts, differences(dataset, part, counts), settings)


def part_of(dataset: Dataset, part: str) -> str:
    """Return the part that is meant.

    Raises:
        ParamsError: If there is no such part.
    """
    if part and part not in dataset.parts:
        known = ", ".join(dataset.parts) or "none"
        raise ParamsError(
            f"--part: '{part}' is no part of {dataset.name}; it has {known}."
            f"{near_match(part, dataset.parts)}"
        )
    return part or next(iter(dataset.parts), "")


def check_target(target: Path, source: Path) -> None:
    """Refuse a folder that holds what this did not make.

    Raises:
        DataError: Says which folder to name.
    """
    place, other = target.resolve(), source.resolve()
    if place == other or place in other.parents:
        raise DataError(f"{target}: would replace what is read from {source}. Name another --to.")
    is_used = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if is_used and not (target / MARK).is_file():
        raise DataError(f"{target}: holds something else. Name a new or an empty folder with --to.")


def differences(dataset: Dataset, part: str, counts: Mapping[str, int]) -> list[str]:
    """Return where counts are not as published, in words."""
    published = dataset.counts.get(part, {})
    return [
        f"{counts[name]:,} {name}, {number:,} as published"
        for name, number in published.items()
        if name in counts and counts[name] != number
    ]


def _write_items(dataset: Dataset, source: Source, part: str, folder: Path) -> dict[str, int]:
    counts = {"items": 0, "pictures": 0, "links": 0}
    rows = tqdm(dataset.items(source, part), desc="items", unit="item", disable=None)
    with (folder / _FEED).open("w", encoding="utf-8") as file:
        for row in rows:
            link, kind = _put_picture(row, folder)
            named = {_AS_GOOGLE.get(name, name): value for name, value in row.fields.items()}
            _write_line(file, {**named, "image_link": link})
            counts["items"] += 1
            if kind:
                counts[kind] += 1
    if not counts["items"]:
        raise DataError(f"{source.folder}: no item of part '{part}' of {dataset.title} is there.")
    return counts


def _put_picture(row: Row, folder: Path) -> tuple[str, str]:
    """Return the link of a row's picture, which then lies in the folder, and what it is."""
    if not row.picture:
        return "", ""
    if isinstance(row.picture, str):
        return row.picture, "links"
    digest = sha1(row.fields["id"].encode(), usedforsecurity=False).hexdigest()
    # Ids are anything; folders of hundreds of thousands of files are slow everywhere.
    beside = folder / "images" / digest[:2]
    beside.mkdir(parents=True, exist_ok=True)
    if isinstance(row.picture, Path):
        path = beside / f"{digest}{row.picture.suffix.lower()}"
        link_or_copy(row.picture, path)
    else:
        head = row.picture[:8]
        ending = next((end for begin, end in _ENDINGS if head.startswith(begin)), ".img")
        path = beside / f"{digest}{ending}"
        path.write_bytes(row.picture)
    return path.relative_to(folder).as_posix(), "pictures"


def _write_labels(labels: Iterator[Label], folder: Path) -> dict[str, int]:
    seen: set[str] = set()
    number = 0
    with (
        (folder / _QUERIES).open("w", encoding="utf-8") as queries,
        (folder / _LABELS).open("w", encoding="utf-8") as pairs,
    ):
        for label in labels:
            number += 1
            if label.query_id not in seen:
                seen.add(label.query_id)
                _write_line(queries, {"query_id": label.query_id, "query": label.query})
            pair = {"query_id": label.query_id, "item_id": label.item_id, "grade": label.grade}
            _write_line(pairs, pair)
    return {"queries": len(seen), "labels": number}


def _write_log(engaged: Iterator[Label], folder: Path) -> int:
    number = 0
    with (folder / _LOG).open("w", encoding="utf-8") as file:
        for label in engaged:
            number += 1
            pair = {"query": label.query, "item_id": label.item_id, "action": "click"}
            _write_line(file, {"search_id": label.query_id, **pair})
    return number


def _write_line(file: IO[str], record: Mapping[str, str]) -> None:
    file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _settings(dataset: Dataset, counts: Mapping[str, int], folder: Path) -> dict[str, Any]:
    """Return every parameter that reads the folder."""
    has_log, has_labels = bool(counts.get("clicks")), bool(counts.get("labels"))
    found: dict[str, Any] = {
        "ingest.source": "feed",
        "ingest.folder": folder.as_posix(),
        "ingest.feed.file": _FEED,
        "ingest.log.kind": "table" if has_log else "none",
        "ingest.judgements.kind": "table" if has_labels else "none",
    }
    if has_log:
        found["ingest.log.events"] = _LOG
    if has_labels:
        found |= {"ingest.judgements.queries": _QUERIES, "ingest.judgements.labels": _LABELS}
    return found | dict(dataset.settings)


def _argument(name: str, value: object) -> str:
    """Return an argument of `dvc exp run -S`, "++" where params.yaml may not have the key."""
    added = "++" if any(part in name for part in _FREE) else ""
    if isinstance(value, list):
        return f"{added}{name}={json.dumps(value).replace(' ', '')}".replace('"', "")
    if re.search(r"[^\w./+-]", str(value)):
        return f"\"{added}{name}='{value}'\""  # the outer quotes are for xargs, the inner for DVC
    return f"{added}{name}={value}"
