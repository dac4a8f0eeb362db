"""Where closed files of the log go: where ingest reads them, else beside the project's state.

A file below the raw folder makes ingest stale, and what nobody reads must not start a run.
"""

from fnmatch import fnmatch
from pathlib import Path, PurePath

from smar.params import load_params
from smar.params.ingest import IngestParams

AUTO = "auto"
_ASIDE = Path(".smar") / "ubi"
_GLOB = frozenset("*?[")
_A_FILE = "ubi-2026-11-28-101502-4711-1.ndjson"  # what closed files are called


def log_folder(root: Path, setting: str = AUTO) -> tuple[Path, bool]:
    """Return where closed files go, and whether ingest reads them there.

    Args:
        root: The project's root folder.
        setting: A folder below ingest.folder; auto for the one that ingest.log names, or
            .smar/ubi of the project where it names none.
    """
    ingest = load_params(root / "params.yaml").ingest
    raw = root / ingest.folder
    read = _folder_of_ingest(raw, ingest)
    if setting == AUTO:
        return (root / _ASIDE, False) if read is None else (read, True)
    return raw / setting, read is not None and read == raw / setting


def _folder_of_ingest(raw: Path, ingest: IngestParams) -> Path | None:
    """Return the folder in which ingest would read a new file of a log; None if there is none."""
    if ingest.source != "feed" or ingest.log.kind != "ubi":
        return None
    for name in (ingest.log.queries, ingest.log.events):
        if not name:
            continue
        path = PurePath(name)
        if _GLOB & set(name):
            if fnmatch(_A_FILE, path.name) and not _GLOB & set(str(path.parent)):
                return raw / path.parent
        elif (raw / name).is_dir() or not ((raw / name).exists() or path.suffix):
            return raw / name  # the service makes it where it is not there yet
    return None
