"""Where the files of a study lie in a project."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyPaths:
    """Places below the project's root folder.

    Args:
        root: The project's root folder.
    """

    root: Path

    @property
    def plan(self) -> Path:
        """What to run."""
        return self.root / "studies" / "params.yaml"

    @property
    def results(self) -> Path:
        """What all runs left."""
        return self.root / "studies" / "results"

    @property
    def report(self) -> Path:
        """Tables and figures."""
        return self.root / "studies" / "report"

    def data(self, data: str) -> Path:
        """Return one form of the data, prepared."""
        return self.root / "studies" / "data" / data

    def result(self, data: str, variant: str, seed: int) -> Path:
        """Return what one run left."""
        return self.results / data / variant / str(seed)
