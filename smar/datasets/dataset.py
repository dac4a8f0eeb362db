"""What there is to say of a public data set, and the rows that its reader gives."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Expected:
    """Files of a data set, as it is published.

    Args:
        key: What a reader calls them.
        pattern: A glob that finds them, in the folder or anywhere below it.
        what: What they hold.
        columns: Columns that a reader needs; () for what is no table.
        rows: Rows of all of them together as published; 0 if that is not known for sure.
        is_needed: Whether there is nothing to do without them.
    """

    key: str
    pattern: str
    what: str
    columns: tuple[str, ...] = ()
    rows: int = 0
    is_needed: bool = True


@dataclass(frozen=True)
class Form:
    """One way in which a data set is handed out.

    Args:
        name: Of whom, or as what.
        files: What a folder of it holds.
    """

    name: str
    files: tuple[Expected, ...]


@dataclass(frozen=True)
class Source:
    """A folder that holds a data set.

    Args:
        folder: The folder.
        form: Name of the form that it has.
        files: The files that were found, by `Expected.key`, in the order of their names.
    """

    folder: Path
    form: str
    files: Mapping[str, list[Path]]


@dataclass(frozen=True)
class Figure:
    """A published result.

    Args:
        task: Name of the task.
        metric: As `judging.metrics` writes it, such as "recall@10".
        system: What was measured.
        value: As published.
    """

    task: str
    metric: str
    system: str
    value: float


@dataclass(frozen=True)
class Task:
    """A retrieval task over the catalogue: a text finds pictures, or products.

    Args:
        name: Its name.
        column: The column whose values are the queries; right are the items that have the value.
        metrics: What is reported, as `judging.metrics` writes it.
        picture_share: Share of the picture's vector in a document; the title's is the rest.
        max_queries: More distinct values than this are sampled.
        truth: Name of the published file with right answers, "" if there is none.
    """

    name: str
    column: str
    metrics: tuple[str, ...]
    picture_share: float = 1.0
    max_queries: int = 0
    truth: str = ""


@dataclass(frozen=True)
class Row:
    """An item as a data set has it.

    Args:
        fields: Its id, its title, and whatever else is known; texts.
        picture: The content of its picture, a file, a URL, or None.
    """

    fields: Mapping[str, str]
    picture: bytes | Path | str | None = None


@dataclass(frozen=True)
class Label:
    """A judged pair of query and item.

    Args:
        query_id: The query's id, without blanks.
        query: Its text.
        item_id: The item.
        grade: As the data set writes it.
    """

    query_id: str
    query: str
    item_id: str
    grade: str


@dataclass(frozen=True)
class Dataset:
    """A public data set.

    Args:
        name: As the command line says it.
        title: Its full name.
        what: What it is, in a sentence.
        licence: As its publisher states it.
        origin: Where it comes from.
        forms: The ways in which it is handed out.
        items: Yields the items of a folder; the second argument is a part, of `parts`.
        labels: Yields its judged pairs; None if it has none.
        engaged: Yields pairs that stand for clicks of a log; None if it has none.
        parts: Parts that can be chosen, the first unless one is named.
        counts: Numbers of items, queries and labels as published, by part ("" where none is).
        settings: Parameters that fit it, by their full names, beside those of the files.
        tasks: Tasks that published figures are about and that can be run here.
        figures: Published results.
        figures_from: Where they were published.
        notes: What a user has to know before comparing or training.
    """

    name: str
    title: str
    what: str
    licence: str
    origin: str
    forms: tuple[Form, ...]
    items: Callable[[Source, str], Iterator[Row]]
    labels: Callable[[Source, str], Iterator[Label]] | None = None
    engaged: Callable[[Source, str], Iterator[Label]] | None = None
    parts: tuple[str, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    figures: tuple[Figure, ...] = ()
    figures_from: str = ""
    notes: tuple[str, ...] = ()


def figures(
    task: str, metrics: tuple[str, ...], systems: Mapping[str, tuple[float, ...]]
) -> tuple[Figure, ...]:
    """Return the figures of a published table: a row of values for each system."""
    return tuple(
        Figure(task, metric, system, value)
        for system, values in systems.items()
        for metric, value in zip(metrics, values, strict=True)
    )
