"""Imports that cost no more than what is used of them.

A library imports what it may need one day. While `imported_later` holds, some packages are imported
without being run: whoever imported one runs it by asking for something of it, and never otherwise.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a package (`importlib.util.LazyLoader` runs one as soon as it is imported)."""

    def __getattr__(self, name: str) -> Any:
        _forget(self)
        return getattr(import_module(self.__name__), name)


@contextmanager
def imported_later(*names: str, in_parts: bool = False) -> Iterator[None]:
    """Let packages that are imported in the block run when something of them is asked for first.

    One that runs already, or is not installed, is left alone. After the block they are imported as
    ever.

    Args:
        names: Packages by their full names; those that they lie in are imported.
        in_parts: Whether a module of one may be imported without it; it must not need it.
    """
    found = []
    for name in names:
        spec = None if name in sys.modules else find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            found.append(_Later(name))
            if in_parts:
                found[-1].__path__ = list(spec.submodule_search_locations)
            sys.modules[name] = found[-1]
    try:
        yield
    finally:
        for module in found:
            _forget(module)


def _forget(module: _Later) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


@contextmanager
def without_collection() -> Iterator[None]:
    """Look for no garbage meanwhile, nor ever after among what is there then.

    Imports make objects that stay, and the collector would go through them again and again.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if is_on:
            gc.enable()
