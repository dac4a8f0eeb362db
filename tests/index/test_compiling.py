"""Code is compiled whether it can be kept or not."""

import pytest

from smar.index import compiling


def test_code_that_cannot_be_kept_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch):
    compile_function = compiling.njit

    def without_room(*signature: object, cache: bool = False, **how: object):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_function(*signature, **how)

    monkeypatch.setattr(compiling, "njit", without_room)
    twice = compiling.compiled()(lambda number: 2 * number)
    assert twice(21) == 42
