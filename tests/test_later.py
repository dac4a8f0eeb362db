"""Packages that run when something of them is asked for."""

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import v1
from pydantic.v1.fields import ModelField

from smar.later import imported_later, left_aside, light_fields, without_collection


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a package that counts in `ran` how often it runs."""
    folder = tmp_path / "some_package"
    folder.mkdir()
    counts = 'import sys\nsys.modules["ran"].append(__name__)\n'
    (folder / "__init__.py").write_text(counts + "from . import inner\nvalue = 3\n")
    (folder / "inner.py").write_text(counts + "value = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "ran", [])  # type: ignore[arg-type]
    yield folder.name
    for name in (folder.name, f"{folder.name}.inner"):
        sys.modules.pop(name, None)


def ran() -> list[str]:
    return sys.modules["ran"]  # type: ignore[return-value]


def test_package_runs_once_when_something_of_it_is_asked_for(package: str):
    with imported_later(package):
        import some_package as one

        assert ran() == []
    assert package not in sys.modules
    assert one.value == 3
    assert ran() == [package, f"{package}.inner"]
    import some_package as again
    from some_package import inner, value

    assert (again.value, value, one.inner) == (3, 3, inner)
    assert len(ran()) == 2


def test_package_that_is_asked_for_within_the_block_runs_there(package: str):
    with imported_later(package):
        from some_package import value

        assert value == 3
        real = sys.modules[package]
    assert sys.modules[package] is real
    assert ran() == [package, f"{package}.inner"]


def test_package_nobody_asked_for_is_imported_as_ever_after_the_block(package: str):
    with imported_later(package):
        import some_package as before
    inner = import_module(f"{package}.inner")
    assert ran() == [package, f"{package}.inner"]
    assert before.inner is inner
    assert len(ran()) == 2


def test_what_a_package_lacks_is_told_as_ever(package: str):
    with imported_later(package):
        import some_package
    with pytest.raises(AttributeError, match="nothing_such"):
        some_package.nothing_such  # noqa: B018
    with imported_later(package), pytest.raises(ImportError, match="nothing_such"):
        from some_package import nothing_such  # noqa: F401


def test_module_of_a_package_may_be_imported_without_it(package: str):
    with imported_later(package, in_parts=True):
        inner = import_module(f"{package}.inner")
        assert ran() == [f"{package}.inner"]
    some = import_module(package)
    assert (some.value, some.inner) == (3, inner)
    assert ran() == [f"{package}.inner", package]


def test_package_that_runs_already_or_is_none_is_left_alone(package: str):
    real = import_module(package)
    with imported_later(package, "no_package_of_this_name", "smar.later"):
        assert sys.modules[package] is real
        with pytest.raises(ModuleNotFoundError):
            import_module("no_package_of_this_name")
    assert sys.modules[package] is real


@pytest.mark.parametrize("is_on", [True, False])
def test_garbage_is_collected_afterwards_as_before(is_on: bool):
    was = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        with without_collection():
            assert not gc.isenabled()
        assert gc.isenabled() == is_on
    finally:
        gc.unfreeze()
        (gc.enable if was else gc.disable)()


def test_package_left_aside_seems_not_to_be_there_within_the_block(package: str):
    with left_aside(package):
        with pytest.raises(ImportError):
            import_module(package)
        with pytest.raises(ImportError):
            import_module(f"{package}.inner")
    assert import_module(package).value == 3


def test_package_left_aside_that_runs_already_is_left_alone(package: str):
    real = import_module(package)
    with left_aside(package, "no_package_of_this_name"):
        assert sys.modules[package] is real
        assert sys.modules["no_package_of_this_name"] is None
    assert sys.modules[package] is real
    assert "no_package_of_this_name" not in sys.modules


def _models() -> list[type[v1.BaseModel]]:
    """Return classes of pydantic's first version with bases, each time others."""

    class Base(v1.BaseModel):
        number: int = v1.Field(3, ge=0, description="how many", extra_told="x")
        names: list[str | int] = []
        by_name: dict[str, float] | None = None

        class Config:
            fields: ClassVar[dict[str, Any]] = {"names": {"title": "Names"}}

        @v1.validator("number", allow_reuse=True)
        def _even(cls: object, value: int) -> int:  # noqa: N805
            return value * 2

    class Heir(Base):
        more: str | None = None

        class Config:
            fields: ClassVar[dict[str, Any]] = {"number": {"alias": "n", "note": "heir"}}

        @v1.validator("number", allow_reuse=True)
        def _odd(cls: object, value: int) -> int:  # noqa: N805
            return value + 1

        @v1.validator("names", each_item=True, allow_reuse=True)
        def _twice(cls: object, value: object) -> str:  # noqa: N805
            return str(value) * 2

    class Last(Heir):
        names: list[str | int] = v1.Field(["a"])

    return [Base, Heir, Last]


def test_classes_with_light_fields_are_those_with_copies_of_all():
    usual = _models()
    with light_fields():
        light = _models()
    assert not hasattr(ModelField, "__deepcopy__")
    given: dict[str, Any] = {"number": 4, "n": 6, "names": ["x", 1], "by_name": {"y": 1}}
    for one, other in zip(usual, light, strict=True):
        assert one.schema() == other.schema()
        assert repr(one.__fields__) == repr(other.__fields__)
        assert one(**given).dict() == other(**given).dict()
        for field, alike in zip(one.__fields__.values(), other.__fields__.values(), strict=True):
            assert list(field.class_validators) == list(alike.class_validators)
            assert repr(field.field_info) == repr(alike.field_info)
        with pytest.raises(v1.ValidationError):
            other(names=[[]])
    shared = [
        light[0].__fields__[name] is light[1].__fields__[name] for name in ("number", "names")
    ]
    assert shared == [False, False]
    assert light[0](number=1).dict()["number"] == 2
