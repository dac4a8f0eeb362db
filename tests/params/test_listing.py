"""The list of all parameters: every key, with default, bounds and meaning."""

from pathlib import Path

from smar.params import Params, check_params, load_params
from smar.params.listing import as_text, entries

ROOT = Path(__file__).parents[2]


def test_every_parameter_has_a_meaning():
    lost = [entry.key for entry in entries(Params()) if not entry.meaning]
    assert not lost, f"no text below the field says what it means: {', '.join(lost)}"


def test_shipped_file_says_the_defaults():
    changed = [
        entry.key
        for entry in entries(load_params(ROOT / "params.yaml"))
        if entry.value != entry.default
    ]
    assert not changed


def test_list_shows_value_default_and_bounds():
    found = {entry.key: entry for entry in entries(check_params({"embed": {"batch_size": 3}}, "x"))}
    entry = found["embed.batch_size"]
    assert (entry.value, entry.default, entry.bounds) == (3, 512, "whole number, >= 1")
    assert found["loss.hinge.margin"].bounds == "number, > 0 and <= 2"
    assert found["model.image.stem"].bounds == "patch | conv"
    text = as_text(list(found.values()))
    assert "* embed.batch_size" in text
    assert "(default 512)" in text
