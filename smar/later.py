"""Imports that cost no more than what is used of them.

A library imports what it may need one day. `imported_later` puts a module in the place of a package
that becomes the package when something of it is asked for, and never where nothing is.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

_LOCK = RLock()


class _Later(ModuleType):
    """A package that has not run; its own `importlib.util.LazyLoader` runs at `import` already."""

    def __getattr__(self, name: str) -> Any:
        with _LOCK:
            if type(self) is _Later:
                spec = self.__spec__
                assert spec is not None  # noqa: S101 - made of one
                assert spec.loader is not None  # noqa: S101 - and it was found
                self.__class__ = ModuleType  # type: ignore[assignment]
                self.__path__ = list(spec.submodule_search_locations or ())
                spec.loader.exec_module(self)
        return getattr(self, name)


def imported_later(*names: str, in_parts: bool = False) -> None:
    """Let packages run when something of them is asked for first, not when they are imported.

    One that runs already, or is not installed, is left alone.

    Args:
        names: Packages by their full names; those that they lie in are imported.
        in_parts: Whether a module of one may be imported without it; it must not need it.
    """
    for name in names:
        if name in sys.modules:
            continue
        spec = find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            continue
        module = module_from_spec(spec)
        if not in_parts:
            del module.__path__  # which a module of it asks for that is imported
        module.__class__ = _Later
        sys.modules[name] = module


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
