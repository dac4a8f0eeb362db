"""What reading is quickened by changes nothing of what is read."""

import gc
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils import strictyaml
from dvc.utils.serialize import parse_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dvc.private import speed
from dagster_dvc.private.speed import lookup, quick_loading
from dagster_dvc.repository import Repository, open_repository
from dagster_dvc.tests.support import component, write_pipeline

scalar = st.one_of(
    st.text(alphabet="0123456789+-.eExXob_: aAnNyYtTfF~=<|>&*!%@`'\"#,[]{}?\\\n", max_size=8),
    st.sampled_from(["012", "0o7", "0x1F", "1_000", "1:30", "yes", "on", "Null", "~", "1e3", "1.",
                     ".5", "-.inf", ".nan", "2026-01-01", "2026-01-01 10:00:00", "0", "-0", "+1",
                     "true", "TRUE", "1.5e+3", "1e-3", "<<", "=", "!x 1", "&a 1", "0b11", "- 1"]),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "1", "012", "yes"]), scalar), max_size=4))
def test_yaml_is_read_as_dvc_reads_it(pairs: list[tuple[str, str]]):
    text = "".join(f"{key}: {value}\n" for key, value in pairs)
    assert outcome(speed._parse, text) == outcome(parse_yaml, text)


@given(st.recursive(scalar, lambda s: st.lists(s, max_size=3) | st.dictionaries(scalar, s)))
def test_yaml_that_was_dumped_is_read_as_dvc_reads_it(content: Any):
    for text in (yaml.safe_dump(content), yaml.safe_dump(content, default_flow_style=True)):
        assert outcome(speed._parse, text) == outcome(parse_yaml, text)


number = st.integers() | st.floats(allow_nan=False) | st.sampled_from([1e-5, 0.1, 1e20, 1.0])
value = st.recursive(
    scalar | number | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalar, inner, max_size=3),
)


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(["a", "b@1", "c"]), value), st.dictionaries(scalar, value))
def test_lock_file_is_written_as_dvc_writes_it(stages: dict[str, Any], other: dict[str, Any]):
    from dvc.utils.serialize import dump_yaml, modify_yaml

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dvc.lock"
        dump_yaml(file, {"schema": "2.0", "stages": stages})
        before, written = file.read_text(), []
        for modify in (modify_yaml, speed._modify_yaml):
            file.write_text(before)
            with modify(file) as content:
                content["stages"]["new"] = other
            written.append(file.read_text())
    assert written[0] == written[1]


def outcome(parse: Any, text: str) -> str:
    """Return what a parser makes of a text, types included, or that it refuses."""
    try:
        return repr(parse(text, "dvc.yaml"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
        return type(error).__name__


def test_plain_pipeline_is_not_left_to_the_slow_parser(monkeypatch: pytest.MonkeyPatch):
    def slow(*_: Any, **__: Any) -> Any:
        raise AssertionError("parsed in Python")

    monkeypatch.setattr("dvc.utils.serialize.parse_yaml", slow)
    text = "stages:\n  a:\n    cmd: 'x 1'\n    params: [lr, n.1]\n    frozen: true\n    size: 12\n"
    assert speed._parse(text, "dvc.yaml")["stages"]["a"]["size"] == 12


def test_dvc_is_left_as_it_was(empty: Path):
    with quick_loading():
        assert strictyaml.parse_yaml is not parse_yaml
    assert strictyaml.parse_yaml is parse_yaml
    (empty / "dvc.yaml").write_text("stages: {a: {cmd: 3}}")
    with pytest.raises(ValueError, match="cmd"):
        Repository(empty)
    assert strictyaml.parse_yaml is parse_yaml


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.dictionaries(st.sampled_from("abc1"), st.integers())
    ),
    st.sampled_from(["a", "a.b", "a.1", "a.b.c", "*", "a.*", "b.[ab]", "c"]),
)
def test_parameters_are_found_as_dvc_finds_them(content: dict[str, Any], name: str):
    import dpath

    def found(get: Any) -> Any:
        try:
            return get()
        except (KeyError, ValueError) as error:
            return type(error)

    assert found(lambda: lookup(content, name)) == found(
        lambda: dpath.get(content, name, separator=".")
    )


def test_repository_is_read_once(empty: Path, monkeypatch: pytest.MonkeyPatch):
    write_pipeline(empty, {"stages": {"a": {"cmd": "true"}}})
    first = open_repository(empty)
    read = []
    monkeypatch.setattr("dagster_dvc.repository.read", read.append)
    assert open_repository(empty) is first
    assert read == []


def test_definitions_are_left_alone_by_the_collector_once_a_repository(empty: Path):
    write_pipeline(empty, {"stages": {"a": {"cmd": "true"}}})
    counts = [gc.get_freeze_count()]
    for _ in range(2):
        component(empty).definitions(empty)
        counts.append(gc.get_freeze_count())
    assert gc.isenabled()
    assert counts[0] < counts[2] <= counts[1]


def test_time_grows_with_the_stages_and_no_faster(empty: Path):
    """Counted in calls of DVC's and the bridge's functions, which no other work disturbs."""
    import cProfile
    import pstats

    def calls(number: int) -> int:
        stages = {
            f"s{n}": {"cmd": "true", "deps": [f"o{n - 1}"] if n else [], "outs": [f"o{n}"],
                      "params": [f"p{n}"]}
            for n in range(number)
        }  # fmt: skip
        write_pipeline(empty, {"stages": stages})
        (empty / "params.yaml").write_text("".join(f"p{n}: {n}\n" for n in range(number)))
        profile = cProfile.Profile()
        profile.runcall(Repository, empty)
        return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]

    calls(1)  # imports
    few, many = calls(20), calls(80)
    assert many < 4.4 * few
