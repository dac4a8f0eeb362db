"""Stages that fill tables run in small pages, trainings as the system has it."""

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from smar import running
from smar.huge_pages import no_huge_pages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")


def is_off() -> bool:
    return ctypes.CDLL(None).prctl(42, 0, 0, 0, 0) == 1


def test_pages_are_small_in_the_block_and_as_before_after_it():
    assert not is_off()
    with no_huge_pages():
        assert is_off()
        with no_huge_pages():
            assert is_off()
        assert is_off()  # the inner one was not the first
    assert not is_off()
    with pytest.raises(ValueError, match="broken"), no_huge_pages():
        raise ValueError("broken")
    assert not is_off()


@pytest.mark.parametrize("in_ranks", [False, True])
def test_a_training_has_the_pages_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_ranks: bool
):
    seen = []
    stage = SimpleNamespace(in_ranks=in_ranks, writes=[])
    monkeypatch.setattr(running, "record", lambda *_: None)
    running._run(SimpleNamespace(STAGE=stage, run=lambda _: seen.append(is_off())), "any", tmp_path)
    assert seen == [not in_ranks]
    assert not is_off()
