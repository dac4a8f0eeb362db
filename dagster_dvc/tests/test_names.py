"""Every name of DVC is a valid name of Dagster, its own, and can be read back."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dvc import names
from dagster_dvc.names import decode, encode, identifier, join_path, op_name, settle, split_path

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
awkward = st.text(alphabet="_x0123ABF-. /", min_size=1)
part = (text | awkward).filter(lambda value: "/" not in value)


@given(text | awkward)
def test_encoded_names_are_plain_and_read_back(name: str):
    for is_strict in (False, True):
        found = encode(name, is_strict=is_strict)
        assert decode(found) == name
        extra = "" if is_strict else "-."
        assert all(c.isascii() and (c.isalnum() or c in f"_{extra}") for c in found)


@given(text | awkward, text | awkward)
def test_different_names_are_encoded_differently(one: str, other: str):
    assert (encode(one) == encode(other)) is (one == other)


@pytest.mark.parametrize(
    "path",
    ["raw data.csv", "a/b/c.txt", "../out/x.csv", "/abs/x.csv", "https://h/x.csv", "s3://b//k",
     r"raw\win.csv", "\u00fcber/stra\u00dfe.csv", ".hidden", "a//b"],
)  # fmt: skip
def test_paths_are_read_back_from_keys(path: str):
    assert join_path(split_path(path)) == path
    key = [encode(part) for part in split_path(path)]
    assert names.path_of(key) == path
    dg.AssetSpec(dg.AssetKey(key))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("train-model", "train-model"), ("raw data", "raw_x20_data"), ("a_b", "a_b"),
     ("gpt-4o:mini", "gpt-4o_x3A_mini"), ("_x20_", "_x5F_x20_"), ("", "_x0_")],
)  # fmt: skip
def test_names_stay_readable(name: str, expected: str):
    assert encode(name) == expected


keys = st.lists(st.tuples(part) | st.tuples(part, part) | st.tuples(part, part, part), max_size=8)


@given(keys, st.data())
def test_no_two_things_share_an_identifier(wanted: list[tuple[str, ...]], data: st.DataObject):
    things = {f"thing {n}": tuple(map(encode, key)) for n, key in enumerate(wanted)}
    rank = {thing: data.draw(st.sampled_from([0, 1, 2])) for thing in things}
    found = settle(things, rank)
    assert list(found) == list(things)
    identifiers = [identifier(key) for key in found.values()]
    assert len(set(identifiers)) == len(identifiers)
    backwards = settle(dict(reversed(things.items())), rank)
    assert backwards == found  # the order in which things are read does not matter


def test_stage_keeps_its_name_and_the_file_of_that_name_gives_way():
    wanted = {"stage train": ("train",), "source train": ("train",)}
    found = settle(wanted, {"stage train": 0, "source train": 2})
    assert found["stage train"] == ("train",)
    assert found["source train"] == ("train_x0_source",)
    assert names.path_of(found["source train"]) == "train"


def test_names_that_dagster_reads_alike_are_told_apart():
    wanted = {"a": ("x_1.csv",), "b": ("x-1.csv",)}
    assert settle(wanted, {"a": 2, "b": 2}) == {"a": ("x_1.csv",), "b": ("x_x2D_1_x2E_csv",)}


def test_names_that_dagster_keeps_for_itself_are_marked():
    for name in ("config", "type", "input", "lambda"):
        (found,) = settle({"a": (name,)}, {"a": 0}).values()
        assert found == (f"{name}_x0_stage",)


def test_long_names_are_cut_and_stay_apart():
    one, other = ["x" * 300, "a"], ["x" * 300, "b"]
    assert len(op_name(one)) == 100
    assert op_name(one) != op_name(other)
