"""Packages that run when something of them is asked for."""

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from smar.later import imported_later, without_collection


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
    imported_later(package)
    import some_package as one

    assert ran() == []
    assert one.value == 3
    assert ran() == [package, f"{package}.inner"]
    import some_package as again
    from some_package import inner, value

    assert again is one
    assert (value, inner.value) == (3, 4)
    assert len(ran()) == 2


def test_what_a_package_lacks_is_told_as_ever(package: str):
    imported_later(package)
    import some_package

    with pytest.raises(AttributeError, match="nothing_such"):
        some_package.nothing_such  # noqa: B018
    with pytest.raises(ImportError, match="nothing_such"):
        from some_package import nothing_such  # noqa: F401


@pytest.mark.parametrize("in_parts", [False, True])
def test_module_of_a_package_runs_it_first_unless_it_may_go_without(package: str, in_parts: bool):
    imported_later(package, in_parts=in_parts)
    inner = import_module(f"{package}.inner")
    assert inner.value == 4
    assert (package in ran()) == (not in_parts)
    import some_package

    assert (some_package.value, some_package.inner) == (3, inner)
    assert ran().count(f"{package}.inner") == 1


def test_package_that_runs_already_or_is_none_is_left_alone(package: str):
    import some_package

    imported_later(package, "no_package_of_this_name", "smar.later")
    assert sys.modules[package] is some_package
    assert some_package.value == 3
    assert "no_package_of_this_name" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        import no_package_of_this_name  # noqa: F401


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
