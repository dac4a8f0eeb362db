"""Stages: one module each, files in and files out, declared by its `STAGE`."""

import importlib
import pkgutil
from functools import cache

from smar.declaration import Stage, in_order


@cache
def declared() -> dict[str, Stage]:
    """Return every stage there is by its name, in an order in which they can run."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    found = {name: importlib.import_module(f"{__name__}.{name}").STAGE for name in names}
    return in_order(found)
