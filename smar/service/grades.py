"""Grades that people give to hits, as a table of judgements that ingest reads.

Grades are kept beside the project's state while people judge, and handed over to the raw folder
when they are done, so that no run begins with each of them.
"""

import csv
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smar.data.schema import normalize_query
from smar.errors import Problem, RequestError
from smar.replace import write_file

COLUMNS = ("query_id", "query", "item_id", "grade", "judge")
HIGHEST = 3
MOST = 1000
_LONGEST = 500


@dataclass(frozen=True)
class Grade:
    """How well an item answers a query.

    Args:
        query: The query.
        item_id: The item.
        grade: From 0, not at all, to 3; None takes an earlier grade back.
        judge: Who says so, "" for nobody in particular.
    """

    query: str
    item_id: str
    grade: int | None
    judge: str = ""


class Grades:
    """The grades of a project; one for a query and an item, the last that was given.

    Args:
        file: Where they are kept while people judge.
        handed: Where ingest reads them.
    """

    def __init__(self, file: Path, handed: Path) -> None:
        self.file, self.handed = file, handed

    def read(self, query: str = "") -> list[Grade]:
        """Return the grades of a query, or all of them."""
        wanted = normalize_query(query)
        found = self._rows().values()
        return [grade for grade in found if not wanted or grade.query == wanted]

    def put(self, grades: Sequence[Grade]) -> int:
        """Keep grades, and return how many there are now."""
        with self._held():
            rows = self._rows()
            for given in grades:
                key = (normalize_query(given.query), given.item_id)
                if given.grade is None:
                    rows.pop(key, None)
                else:
                    rows[key] = Grade(key[0], given.item_id, given.grade, given.judge)
            self._write(self.file, rows.values())
        return len(rows)

    def hand_over(self) -> int:
        """Write all grades to where ingest reads them, and return how many there are."""
        with self._held():
            rows = self._rows()
            self._write(self.handed, rows.values())
        return len(rows)

    def _rows(self) -> dict[tuple[str, str], Grade]:
        if not self.file.is_file():
            return {}
        with self.file.open(encoding="utf-8", newline="") as file:
            grades = [
                Grade(row["query"], row["item_id"], int(row["grade"]), row["judge"])
                for row in csv.DictReader(file)
            ]
        return {(grade.query, grade.item_id): grade for grade in grades}

    @staticmethod
    def _write(path: Path, grades: Iterable[Grade]) -> None:
        with write_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as f:
            writer = csv.writer(f, lineterminator="\n")
            writer.writerow(COLUMNS)
            for each in grades:
                query_id = f"j{hashlib.sha256(each.query.encode()).hexdigest()[:12]}"
                writer.writerow([query_id, each.query, each.item_id, each.grade, each.judge])

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes from writing in between."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lock = self.file.with_name(f".{self.file.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def read_grades(content: object) -> list[Grade]:
    """Return the grades of plain types, as JSON gives them.

    Raises:
        RequestError: Holds all problems.
    """
    elements = content if isinstance(content, list) else [content]
    problems: list[Problem] = []
    grades: list[Grade] = []
    if len(elements) > MOST:
        problems.append(Problem("", f"{len(elements)} grades, expected at most {MOST}"))
        elements = []
    for place, element in enumerate(elements):
        if not isinstance(element, dict):
            problems.append(Problem(str(place), "expected an object with query, item_id and grade"))
            continue
        problems += [
            Problem(f"{place}.{name}", "is not one of query, item_id, grade, judge")
            for name in sorted(set(element) - {"query", "item_id", "grade", "judge"})
        ]
        texts = {name: element.get(name, "") for name in ("query", "item_id", "judge")}
        for name, text in texts.items():
            is_needed = name != "judge"
            if (
                not isinstance(text, str)
                or len(text) > _LONGEST
                or (is_needed and not text.strip())
            ):
                expected = f"expected a text of at most {_LONGEST} characters"
                problems.append(Problem(f"{place}.{name}", f"{str(text)[:40]!r}, {expected}"))
        grade = element.get("grade", "nothing")
        if grade is not None and (type(grade) is not int or not 0 <= grade <= HIGHEST):
            expected = f"expected a whole number from 0 to {HIGHEST}, or null"
            problems.append(Problem(f"{place}.grade", f"{str(grade)[:40]!r}, {expected}"))
        if not problems:
            grades.append(Grade(texts["query"], texts["item_id"], grade, texts["judge"]))
    if problems:
        raise RequestError(problems)
    return grades
