"""The validate stage: what lies on disk after data that is good, partly bad, and bad."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from smar.artifacts import read_manifest, verify_directory, write_directory
from smar.data import schema
from smar.errors import ArtifactError, DataError, ParamsError
from smar.paths import Paths
from smar.stages.ingest import run as ingest
from smar.stages.validate import run

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def accept(root: Path) -> None:
    """Make a project whose good data was accepted."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["ingest"]["demo"] = {"num_items": 150, "num_searches": 300}
    content["ingest"]["images"] = {"height": 16, "width": 16, "max_pixels": 100_000}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    ingest(root)
    run(root)


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose good data was accepted."""
    root = tmp_path_factory.mktemp("project")
    accept(root)
    return root


@pytest.fixture
def paths(validated: Path, tmp_path: Path) -> Paths:
    """That project, to be changed."""
    return Paths(Path(shutil.copytree(validated, tmp_path / "copy")))


def change(paths: Paths, table: str, **columns: dict[int, object]) -> None:
    """Set values of an ingested table by column and row."""
    frame = schema.read_table(paths.ingested(table), schema.TABLES[table])
    for column, values in columns.items():
        for row, value in values.items():
            frame.at[row, column] = value
    schema.write_table(paths.ingested(table), frame, schema.TABLES[table])


def set_rules(paths: Paths, section: str = "", **rules: object) -> None:
    """Set rules of validation, or those of one of its sections."""
    content = yaml.safe_load(paths.params.read_text())
    (content["validate"][section] if section else content["validate"]).update(rules)
    paths.params.write_text(yaml.safe_dump(content))


def results(paths: Paths) -> dict:
    return json.loads((paths.validation_report / "results.json").read_text())


def profiles(paths: Paths) -> list[Path]:
    return sorted((paths.work / "validation").glob("*.json"))


def test_good_tables_are_accepted_byte_for_byte(validated: Path):
    paths = Paths(validated)
    for name in schema.TABLES:
        assert getattr(paths, name).read_bytes() == paths.ingested(name).read_bytes()
        assert getattr(paths, name).samefile(paths.ingested(name))
    assert results(paths)["verdict"] == "accepted"
    assert verify_directory(paths.validation_report, "validation").counts["quarantined"] == 0


def test_first_data_is_compared_with_nothing_and_the_next_with_the_first(paths: Paths):
    assert not results(paths)["compared_with_previous"]
    change(paths, "items", price={3: 19.5})
    run(paths.root)
    told = results(paths)
    assert told["compared_with_previous"]
    assert {rule["table"] for rule in told["rules"]} == {*schema.TABLES, "previous"}


def test_same_data_again_gives_the_same_report(paths: Paths):
    for category in ("Garden > Gnomes", "Garden > Ponds"):
        change(paths, "items", category={3: category})
        run(paths.root)
        told = results(paths)
        run(paths.root)
        assert results(paths) == told
    broken = [rule for rule in told["rules"] if not rule["success"]]
    assert [rule["rule"] for rule in broken] == ["previous.category_known"]


def test_quarantined_rows_are_told_and_reach_nothing(paths: Paths):
    change(paths, "items", price={3: -5.0}, title={8: " "})
    run(paths.root)
    ids = schema.read_table(paths.ingested("items"), schema.ITEMS)["item_id"]
    accepted = schema.read_table(paths.items, schema.ITEMS)["item_id"]
    assert list(accepted) == list(ids.drop(index=[3, 8]))
    gone = {ids[3], ids[8]}
    for path, columns in (
        (paths.engagements, schema.ENGAGEMENTS),
        (paths.judgements, schema.JUDGEMENTS),
    ):
        assert not gone & set(schema.read_table(path, columns)["item_id"])
    told = pd.read_parquet(paths.validation_report / "quarantine.parquet")
    first = told[told["table"] == "items"].to_dict("records")
    assert first == [
        {"table": "items", "row": 4, "key": ids[3], "column": "price",
         "rule": "items.price_range", "value": "-5"},
        {"table": "items", "row": 9, "key": ids[8], "column": "title",
         "rule": "items.title_given", "value": " "},
    ]  # fmt: skip
    counts = json.loads(paths.outcome("validate").read_text())
    assert (counts["rows_items"], counts["accepted_items"], counts["quarantined_items"]) == (
        150,
        148,
        2,
    )


def test_searches_are_counted_anew_when_some_are_left_out(paths: Paths):
    change(paths, "searches", search_id={0: " ", 1: " "})
    run(paths.root)
    searches = schema.read_table(paths.searches, schema.SEARCHES)
    queries = schema.read_table(paths.queries, schema.QUERIES)
    logged = queries[queries["split"].isin(schema.LOGGED)]
    assert logged["num_searches"].sum() == len(searches) == 298


def test_stop_leaves_accepted_tables_and_profile_as_they_were(paths: Paths):
    before = {path: path.read_bytes() for path in (*profiles(paths), paths.items, paths.searches)}
    change(paths, "queries", split={0: "dev"})
    change(paths, "items", price={3: -5.0})
    with pytest.raises(DataError, match=r"queries\.split: expected one of train.*'dev'"):
        run(paths.root)
    assert {path: path.read_bytes() for path in before} == before
    assert results(paths)["verdict"] == "stopped"
    assert "Stopped: 1 rule broken" in (paths.validation_report / "index.html").read_text()


def test_change_that_is_meant_is_let_in_by_removing_the_profile(paths: Paths):
    brands = dict.fromkeys(range(150), "")
    change(paths, "items", brand=brands)
    with pytest.raises(DataError, match=r"brand: 0\.0% before, 100\.0% now") as error:
        run(paths.root)
    assert f"remove {profiles(paths)[0]}" in str(error.value)
    profiles(paths)[0].unlink()
    run(paths.root)
    assert len(profiles(paths)) == 1


def test_another_source_is_compared_with_nothing(paths: Paths):
    manifest = read_manifest(paths.quarantine, "quarantine")
    manifest.params |= {"source": "feed", "folder": "data/raw/other"}
    with write_directory(paths.quarantine, manifest) as part:
        ignored = shutil.ignore_patterns("manifest.json")
        shutil.copytree(paths.quarantine, part, ignore=ignored, dirs_exist_ok=True)
    run(paths.root)
    assert not results(paths)["compared_with_previous"]
    assert len(profiles(paths)) == 2


def test_damaged_profile_is_refused_with_the_next_step(paths: Paths):
    profiles(paths)[0].write_text('{"format": 1, "rows"')
    with pytest.raises(
        ArtifactError, match=r"profile of the data accepted before is damaged.*Remove"
    ):
        run(paths.root)


def test_severity_can_be_changed_per_rule(paths: Paths):
    change(paths, "items", price={3: -5.0})
    set_rules(paths, severity={"items.price_range": "warn"})
    run(paths.root)
    assert len(schema.read_table(paths.items, schema.ITEMS)) == 150
    assert results(paths)["counts"]["warnings"] == 1


def test_impossible_severities_are_all_named(paths: Paths):
    set_rules(paths, severity={"items.rows": "quarantine", "searches.no_gap": "quarantine"})
    with pytest.raises(ParamsError) as error:
        run(paths.root)
    for name in ("items.rows", "searches.no_gap"):
        assert f"{name}: is not about single rows and cannot quarantine" in str(error.value)


def test_texts_from_data_are_escaped_on_every_page(paths: Paths):
    change(
        paths,
        "items",
        title={0: HOSTILE, 1: HOSTILE + "x" * 600},
        category={2: HOSTILE},
        currency={3: HOSTILE},
        item_id={4: HOSTILE},
        price={4: -1.0},
    )
    change(paths, "queries", query={0: HOSTILE})
    set_rules(paths, severity={"items.title_plain": "quarantine"}, max_quarantined_frac=0.5)
    run(paths.root)
    pages = list(paths.validation_report.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
    assert "&lt;script&gt;alert(1)" in (paths.validation_report / "index.html").read_text()


def test_pages_need_no_network_and_the_entry_of_data_docs_leads_to_every_suite(validated: Path):
    folder = Paths(validated).validation_report
    for page in folder.rglob("*.html"):
        text = page.read_text()
        assert not re.search(r"<script|(src|href)=.https?:", text), page
    entry = folder / "data_docs" / "index.html"
    links = re.findall(r'href="([^"]+)"', entry.read_text())
    assert all((entry.parent / link).is_file() for link in links)
    suites = {page.stem for page in (folder / "data_docs" / "validations").rglob("*.html")}
    assert len(suites) > 10
    assert suites <= {Path(link).stem for link in links}


def test_missing_table_names_the_next_step(paths: Paths):
    paths.ingested("searches").unlink()
    with pytest.raises(ArtifactError, match=r"searches\.parquet: not found.*dvc repro"):
        run(paths.root)
