"""Tables kept by name."""

from pathlib import Path

import pyarrow as pa

from smar.sources.kept_by_name import KeptByName

ONE, OTHER = pa.table({"n": [1]}), pa.table({"n": [2]})


def test_a_name_forgets_what_other_code_kept_and_halves_but_no_longer_name(tmp_path: Path):
    before, now = KeptByName(tmp_path, "a" * 16), KeptByName(tmp_path, "b" * 16)
    for name in ("rows", "rows-left"):
        before.write(name, ONE, {"of": name})
    halves = [tmp_path / f".{name}-{'a' * 16}.arrow.tmp-1" for name in ("rows", "rows-left")]
    for half in halves:
        half.write_bytes(b"?")
    now.write("rows", OTHER, {"of": "now"})
    assert {file.name for file in tmp_path.iterdir()} == {
        f"rows-{'b' * 16}.arrow",
        f"rows-left-{'a' * 16}.arrow",
        halves[1].name,
    }
    found = KeptByName(tmp_path, "b" * 16).read("rows")
    assert found is not None
    assert (found.tables[0], found.facts) == (OTHER, {"of": "now"})
    assert before.read("rows") is None


def test_a_run_reads_what_was_kept_before_it(tmp_path: Path):
    KeptByName(tmp_path, "a").write("rows", ONE, {})
    kept = KeptByName(tmp_path, "a")
    found = kept.read("rows")
    kept.write("rows", OTHER, {})
    assert kept.read("rows") is found


def test_nothing_is_kept_without_a_folder():
    kept = KeptByName(None, "")
    kept.write("rows", ONE, {})
    assert kept.read("rows") is None
