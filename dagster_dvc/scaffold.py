"""What `dg scaffold defs dagster_dvc.DvcProjectComponent NAME` writes."""

import os
from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field


class ScaffoldParams(BaseModel):
    """What the command line takes.

    Args:
        root: Root folder of the repository; by default the nearest one above.
    """

    root: str | None = Field(default=None, description="Root folder of the DVC repository.")


class DvcProjectScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a defs.yaml that points at a DVC repository."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """Return what the command line takes."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write the file; without `root` it points at the repository that the project lies in."""
        target = request.target_path.resolve()
        named = request.params.root if request.params else None
        root = Path(named).resolve() if named else _nearest(target)
        path = os.path.relpath(root, target) if root else "."
        dg.scaffold_component(request, {"root": Path(path).as_posix()})


def _nearest(folder: Path) -> Path | None:
    """Return the DVC repository that a folder lies in."""
    return next((above for above in [folder, *folder.parents] if (above / ".dvc").is_dir()), None)
