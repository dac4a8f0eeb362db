"""The data sets by name: every file of `kinds/` with a `DATASET`."""

from functools import cache
from importlib import import_module
from pathlib import Path

from smar.datasets.dataset import Dataset
from smar.errors import ParamsError, near_match

_KINDS = Path(__file__).parent / "kinds"


@cache
def datasets() -> dict[str, Dataset]:
    """Return every data set by name, in alphabetical order."""
    modules = [
        import_module(f"smar.datasets.kinds.{path.stem}") for path in _KINDS.glob("[!_]*.py")
    ]
    found: list[Dataset] = [module.DATASET for module in modules]
    return {dataset.name: dataset for dataset in sorted(found, key=lambda d: d.name)}


def dataset_named(name: str) -> Dataset:
    """Return a data set.

    Raises:
        ParamsError: If there is none of that name; lists the names.
    """
    known = datasets()
    if name not in known:
        raise ParamsError(
            f"unknown data set '{name}'; expected one of {', '.join(known)}."
            f"{near_match(name, known)} `smar dataset list` describes them."
        )
    return known[name]
