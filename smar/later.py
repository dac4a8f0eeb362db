"""Imports that cost no more than what is used of them.

A library imports what it may need one day. While `imported_later` holds, some packages are imported
without being run: whoever imported one runs it by asking for something of it, and never otherwise.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
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
def left_aside(*names: str) -> Iterator[None]:
    """Let packages seem not to be installed, for libraries that can do without them.

    One that is imported already is left alone. After the block they are imported as ever.

    Args:
        names: Packages by their full names.
    """
    aside: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(aside)
    try:
        yield
    finally:
        for name in aside:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]


@contextmanager
def light_fields() -> Iterator[None]:
    """Let classes of pydantic's first version take the fields of their bases at a lower price.

    It copies all that a field consists of, through and through, for every class of a library that
    has hundreds. What is changed of a copy is the field itself, how it is checked and described.
    """
    from pydantic.v1.fields import ModelField

    def copied(field: Any, memo: dict[int, Any]) -> Any:
        made = object.__new__(type(field))
        for name in ModelField.__slots__:
            setattr(made, name, getattr(field, name))
        made.field_info = copy(field.field_info)
        made.field_info.extra = dict(field.field_info.extra)
        made.class_validators = dict(field.class_validators)
        if field.sub_fields is not None:
            made.sub_fields = [copied(each, memo) for each in field.sub_fields]
        if field.key_field is not None:
            made.key_field = copied(field.key_field, memo)
        return made

    ModelField.__deepcopy__ = copied  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del ModelField.__deepcopy__  # type: ignore[attr-defined]


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
