"""Verdicts and pages of an earlier run: what a full run gives, whatever changed since."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smar.artifacts import read_manifest, write_directory
from smar.data import schema
from smar.data.images import KIND, TABLE
from smar.errors import DataError
from smar.paths import Paths
from smar.stages.validate import run
from smar.validation import data_docs, kept_verdicts
from smar.validation.checker import Checker
from tests.stages.test_validate import accept, change, set_rules

COLUMNS = [f"{name}-columns" for name in schema.TABLES]
ITEMS = ["items-rows", "items-whole"]
LOG = ["queries-rows", "queries-rows-left", "queries-whole", "searches-rows", "searches-days"]
SHOWN = ["searches-whole"]
ENGAGEMENTS = ["engagements-rows", "engagements-whole", "engagements-places"]
JUDGEMENTS = ["judgements-rows", "judgements-whole"]
ALL = [*COLUMNS, *ITEMS, *LOG, *SHOWN, *ENGAGEMENTS, *JUDGEMENTS]
OF_IDS = [*SHOWN, *ENGAGEMENTS, *JUDGEMENTS]
PREVIOUS = [f"previous-{part}" for part in ("volume", "missing", "categories", "whole")]


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose data was accepted twice, so that it is compared with what was before."""
    root = tmp_path_factory.mktemp("project")
    accept(root)
    change(Paths(root), "items", price={7: 19.5})
    run(root)
    return root


@pytest.fixture
def paths(validated: Path, tmp_path: Path) -> Paths:
    """That project, to be changed."""
    return Paths(Path(shutil.copytree(validated, tmp_path / "copy")))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the contracts that Great Expectations judges."""
    names, judge = [], Checker._judge

    def spy(self: Checker, contract: Any, *rest: Any) -> Any:
        names.append(contract.name)
        return judge(self, contract, *rest)

    monkeypatch.setattr(Checker, "_judge", spy)
    return names


def an_item_went(paths: Paths) -> None:
    frame = schema.read_table(paths.ingested("items"), schema.ITEMS)
    schema.write_table(paths.ingested("items"), frame.drop(index=[0]), schema.ITEMS)


def pictures_are_one(paths: Paths) -> None:
    manifest = read_manifest(paths.images, KIND)
    with write_directory(paths.images, manifest) as part:
        ignored = shutil.ignore_patterns("manifest.json")
        shutil.copytree(paths.images, part, ignore=ignored, dirs_exist_ok=True)
        table = pd.read_parquet(part / TABLE).assign(place=0)
        table.to_parquet(part / TABLE)


def verdicts_of(paths: Paths) -> dict[str, Path]:
    return {file.name[:-23]: file for file in (paths.work / "validation/verdicts").iterdir()}


def a_verdict_is_damaged(paths: Paths) -> None:
    file = verdicts_of(paths)["items-rows"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def verdicts_are_of_each_other(paths: Paths) -> None:
    files = verdicts_of(paths)
    one, other = files["queries-rows"], files["searches-rows"]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Paths], None], list[str]]] = {
    "nothing": (lambda paths: None, []),
    "a title": (
        lambda paths: change(paths, "items", title={3: "another"}),
        ["items-columns", *ITEMS],
    ),
    "a price that is refused": (
        lambda paths: change(paths, "items", price={0: -5.0}),
        ["items-columns", *ITEMS, *OF_IDS],
    ),
    "an item that went": (an_item_went, ["items-columns", *ITEMS, *OF_IDS]),
    "pictures": (pictures_are_one, ITEMS),
    "a query": (
        lambda paths: change(paths, "queries", query={0: "<b>x</b>"}),
        ["queries-columns", *LOG, *OF_IDS],
    ),
    "searches without an id": (
        lambda paths: change(paths, "searches", search_id={0: " ", 1: " "}),
        ["searches-columns", *LOG, *OF_IDS],
    ),
    "an engagement": (
        lambda paths: change(paths, "engagements", action={0: "stare"}),
        ["engagements-columns", *ENGAGEMENTS],
    ),
    "a judgement": (
        lambda paths: change(paths, "judgements", grade={0: 99}),
        ["judgements-columns", *JUDGEMENTS],
    ),
    "a bound": (lambda paths: set_rules(paths, "items", max_price=20.0), ALL),
    "a severity": (lambda paths: set_rules(paths, severity={"items.price_range": "warn"}), ALL),
    "what stops": (lambda paths: set_rules(paths, "items", min_rows=1000), ALL),
    "a damaged verdict": (a_verdict_is_damaged, ["items-rows"]),
    "verdicts of each other": (verdicts_are_of_each_other, ["queries-rows", "searches-rows"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changed_all_is_what_a_full_run_writes(
    paths: Paths, tmp_path: Path, judged: list[str], name: str
):
    apply, expected = CHANGES[name]
    apply(paths)
    whole = Paths(Path(shutil.copytree(paths.root, tmp_path / "whole")))
    for kept in ("facts", "verdicts", "pictures"):
        shutil.rmtree(whole.work / "validation" / kept)
    told = told_by(paths)
    assert sorted(judged) == sorted([*expected, *PREVIOUS])
    assert told_by(whole) == told
    assert written(paths) == written(whole)
    judged.clear()
    assert told_by(paths) == told  # and what it kept is what the next one takes
    assert judged == PREVIOUS
    assert written(paths) == written(whole)


def told_by(paths: Paths) -> str:
    """Return what a run says that stops, "" of another."""
    try:
        run(paths.root)
    except DataError as error:
        return str(error).replace(str(paths.root), "")
    return ""


def written(paths: Paths) -> dict[str, bytes]:
    places = [paths.validation_report, paths.root / "data/accepted", paths.outcome("validate")]
    files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
    return {str(file.relative_to(paths.root)): file.read_bytes() for file in files}


def test_freshness_at_the_clock_is_judged_in_every_run(paths: Paths, judged: list[str]):
    set_rules(paths, "log", as_of="now")
    run(paths.root)
    judged.clear()
    run(paths.root)
    assert judged == [*SHOWN, *PREVIOUS]


@pytest.mark.parametrize("library", ["great_expectations", "PyStemmer", "bm25s", "pandas"])
def test_another_library_judges_again(
    paths: Paths, judged: list[str], monkeypatch: pytest.MonkeyPatch, library: str
):
    of_one = kept_verdicts.code_key

    def of_other(modules: Any, libraries: Any, **rest: Any) -> str:
        assert library in libraries
        return of_one(modules, libraries, library, **rest)

    monkeypatch.setattr(kept_verdicts, "code_key", of_other)
    run(paths.root)
    assert sorted(judged) == sorted([*ALL, *PREVIOUS])
    assert {file.name[-23:] for file in verdicts_of(paths).values()} == {
        next(iter(verdicts_of(paths).values())).name[-23:]
    }  # those of the other one are gone


def test_pages_that_show_the_same_are_taken_as_they_are(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
):
    made, stand_alone = list[str](), data_docs._stand_alone

    def spy(text: str) -> str:
        made.append(text)
        return stand_alone(text)

    monkeypatch.setattr(data_docs, "_stand_alone", spy)
    change(paths, "items", description={3: "other words"})  # of which no rule says a thing
    run(paths.root)
    assert made == []
    change(paths, "items", title={3: "<b>bold</b>"})
    run(paths.root)
    assert len(made) == 2
    assert all("items-rows" in text for text in made)


def test_kept_verdicts_need_no_frames(paths: Paths, monkeypatch: pytest.MonkeyPatch):
    def asked(*_: Any) -> pd.DataFrame:
        raise AssertionError

    for table in ("items", "queries", "searches", "engagements", "judgements"):
        monkeypatch.setattr(f"smar.validation.{table}.prepare", asked)
    run(paths.root)
