"""What the fair study leaves: a line of JSON for each trial, a table for each final training."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from smar.replace import write_file

Line = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """The folder of a study. A run that was killed has left whole lines and whole tables.

    Args:
        folder: The folder; it is made when something is written.
    """

    folder: Path

    def trials(self, system: str) -> list[Line]:
        """Return the trials of a system, in the order of their numbers."""
        return sorted(self._lines(f"{system}-trials"), key=lambda line: int(line["number"]))

    def finals(self, system: str) -> list[Line]:
        """Return the final trainings of a system, in the order of their seeds."""
        return sorted(self._lines(f"{system}-finals"), key=lambda line: int(line["seed"]))

    def per_query(self, system: str, seed: int) -> pd.DataFrame:
        """Return the values of a final training, one row per query and run."""
        return pd.read_parquet(self._table(system, seed))

    def add_trial(self, system: str, line: Line) -> None:
        """Keep a trial."""
        self._append(f"{system}-trials", line)

    def add_final(self, system: str, line: Line, per_query: pd.DataFrame) -> None:
        """Keep a final training; its line says that the table is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_file(self._table(system, line["seed"])) as temporary:
            per_query.to_parquet(temporary, index=False)
        self._append(f"{system}-finals", line)

    def _table(self, system: str, seed: int) -> Path:
        return self.folder / f"{system}-{seed}.parquet"

    def _append(self, name: str, line: Line) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(line)}\n")  # a torn line before it stays a line of its own
            file.flush()
            os.fsync(file.fileno())

    def _lines(self, name: str) -> list[Line]:
        file = self.folder / f"{name}.jsonl"
        if not file.is_file():
            return []
        found = []
        for text in file.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(text))
            except json.JSONDecodeError:  # empty, or cut off where the run was killed
                continue
        return found
