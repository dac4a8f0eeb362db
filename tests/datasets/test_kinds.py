"""Every data set: its sample becomes raw files that ingest reads with the parameters it names."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smar.data.schema import TABLES
from smar.datasets.preparing import ARGUMENTS, Prepared, prepare
from smar.datasets.registry import dataset_named, datasets
from smar.errors import DataError, ParamsError
from smar.judging.metrics import METRICS
from smar.params import load_params
from smar.sources.folder import read_source

Change = Callable[[Path, dict[str, Any]], None]
Listed = Callable[[str, str, str], Path]


@pytest.fixture
def read(tmp_path: Path, small_parameters: Path, change_params: Change) -> Callable[..., Any]:
    """Return what prepares a data set and ingests it with the parameters that it names."""

    def prepared(name: str, source: Path, part: str = "") -> tuple[SimpleNamespace, Prepared]:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        (root / "params.yaml").write_bytes(small_parameters.read_bytes())
        target = root / "data/raw" / name
        done = prepare(dataset_named(name), source, target, part, folder=target)
        change_params(root, dict(done.settings))
        params = load_params(root / "params.yaml")
        images = tmp_path / f"images-{name}-{part}"
        images.mkdir()
        tables = read_source(Path(params.ingest.folder), params.ingest, 7, images)
        frames = {name: getattr(tables, name).table.to_pandas() for name in TABLES}
        return SimpleNamespace(**frames, quarantine=tables.quarantine), done

    return prepared


def judged(tables: SimpleNamespace) -> list[tuple[str, str, int]]:
    query = tables.queries.set_index("query_id")["query"]
    return sorted(
        (query[query_id], item_id, int(grade))
        for query_id, item_id, grade in tables.judgements.itertuples(index=False, name=None)
    )


@pytest.mark.parametrize("name", datasets())
def test_data_set_says_all_about_itself(name: str):
    dataset = dataset_named(name)
    assert all([dataset.what, dataset.licence, dataset.origin, dataset.forms])
    assert not dataset.figures or dataset.figures_from
    of_tasks = {(task.name, metric) for task in dataset.tasks for metric in task.metrics}
    if dataset.tasks:
        assert {(figure.task, figure.metric) for figure in dataset.figures} == of_tasks
    assert all(re.fullmatch(r"(\w+)@\d+", m)[1] in METRICS for _, m in of_tasks)  # type: ignore[index]
    assert all(0 < figure.value < 1 for figure in dataset.figures)
    assert set(dataset.counts) <= ({*dataset.parts} or {""})


def test_kagl_published_table_is_the_one_that_is_known():
    found = {(f.task, f.metric): f.value for f in dataset_named("kagl").figures
             if f.system == "FashionSigLIP"}  # fmt: skip
    assert found["text-to-image", "recall@10"] == 0.489
    assert found["text-to-image", "mrr@10"] == 0.293
    assert found["color-to-product", "precision@10"] == 0.502
    assert found["fine-category-to-product", "precision@10"] == 0.629


def test_kagl_of_the_hub(read: Callable[..., Any], kagl: Path):
    tables, done = read("kagl", kagl)
    assert dict(done.counts) == {"items": 12, "pictures": 12, "links": 0}
    assert done.differences == ["12 items, 44,434 as published"]
    first = tables.items.iloc[0]
    assert first["item_id"] == "1000"
    assert first["title"] == "Acme Men Red Tshirts"
    assert first["category"] == "Apparel > Topwear > Tshirts"
    assert first["attributes"] == "gender: Men"
    more = json.loads(first["more"])
    assert (more["baseColour"], more["year"]) == ("Red", "2011")
    assert (tables.items["image_ids"].map(len) == 1).all()
    assert tables.quarantine.frame().empty


def test_kagl_of_kaggle_leaves_out_a_row_that_cannot_be_told_apart(
    read: Callable[..., Any], kaggle: Path, caplog: pytest.LogCaptureFixture
):
    tables, done = read("kagl", kaggle)
    assert list(tables.items["item_id"]) == ["1", "2", "3"]
    assert "1 rows are left out" in caplog.text
    assert (done.counts["items"], done.counts["pictures"]) == (3, 2)
    assert [len(ids) for ids in tables.items["image_ids"]] == [1, 0, 1]


def test_kagl_as_a_feed_reads_no_picture_beside_the_folder(tmp_path: Path):
    folder = tmp_path / "part"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "products.csv").write_text(
        "id,title,product_type,image_link\n1,Tee,Apparel > Topwear,../secret.jpg\n"
    )
    done = prepare(dataset_named("kagl"), folder, tmp_path / "to")
    assert dict(done.counts) == {"items": 1, "pictures": 0, "links": 0}


def test_folder_with_blanks_is_quoted_for_xargs_and_dvc(tmp_path: Path, wands: Path):
    prepare(dataset_named("wands"), wands, tmp_path / "to", folder=Path("data/my beds"))
    lines = (tmp_path / "to" / ARGUMENTS).read_text().splitlines()
    assert "-S \"ingest.folder='data/my beds'\"" in lines
    assert "-S gate.visual_categories=[]" in lines


def test_wands(read: Callable[..., Any], wands: Path):
    tables, done = read("wands", wands)
    assert judged(tables) == [("oak bed", "0", 3), ("oak bed", "1", 0)]
    assert list(tables.items["category"]) == ["Furniture > Bedroom Furniture > Beds", "Rugs"]
    assert tables.items["description"][0] == "a bed, of oak"
    assert json.loads(tables.items["more"][0])["features"] == (
        "material: oak; width: 64.7; width: 65"
    )
    assert done.settings["evaluate.relevant_grade"] == 3
    assert "2 items, 42,994 as published" in done.differences


def test_home_depot_takes_titles_from_both_files_and_its_own_scale(
    read: Callable[..., Any], home_depot: Path
):
    tables, _ = read("home_depot", home_depot)
    assert judged(tables) == [
        ("angle bracket", "100001", 3), ("angle bracket", "100002", 0), ("l bracket", "100001", 2)
    ]  # fmt: skip
    assert list(tables.items["title"]) == [
        "Angle 12-Gauge, 3\u00bd in.",
        "Deck Coating",
        "Rain Head",
    ]
    assert list(tables.items["brand"]) == ["Simpson", "", ""]
    assert list(tables.items["colour"]) == ["", "Browns", ""]
    assert tables.items["description"][0] == "Not only, but stronger"


def test_esci_test_split_is_judged_and_exact_answers_of_the_training_split_are_clicks(
    read: Callable[..., Any], esci: Path
):
    tables, done = read("esci", esci)
    assert judged(tables) == [("red boot", "B1", 3), ("red boot", "B2", 0)]
    assert tables.engagements[["item_id", "action"]].to_numpy().tolist() == [["B2", "click"]]
    logged = tables.queries[tables.queries["num_searches"] > 0]
    assert logged["query"].tolist() == ["blue bag"]
    assert list(tables.items["item_id"]) == ["B1", "B2"]
    assert list(tables.items["colour"]) == ["Red", ""]
    # Links wait for fetch-pictures; nothing was fetched.
    assert done.counts["links"] == 1
    assert list(tables.quarantine.frame()["value"]) == ["https://pictures.example/b1.jpg"]


@pytest.mark.parametrize(
    ("part", "items", "labels"),
    [
        ("us-large", ["B1", "B2", "B3"], [("easy", "B3", 3)]),
        ("es", ["B1"], [("bota", "B1", 1)]),
    ],
)
def test_esci_parts(
    read: Callable[..., Any],
    esci: Path,
    part: str,
    items: list[str],
    labels: list[tuple[str, str, int]],
):
    tables, _ = read("esci", esci, part)
    assert list(tables.items["item_id"]) == items
    assert set(labels) <= set(judged(tables))


def test_esci_part_without_rows_is_refused(tmp_path: Path, esci: Path):
    with pytest.raises(DataError, match="no item of part 'jp'"):
        prepare(dataset_named("esci"), esci, tmp_path / "to", "jp")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", ["amazon_products", "google_shopping"])
def test_listed_products_are_items_once_and_right_for_every_query_that_listed_them(
    read: Callable[..., Any], listed: Listed, name: str
):
    tables, done = read(name, listed("data-00000.parquet", "item_ID", name))
    assert done.counts["items"] == done.counts["pictures"] == 3
    assert judged(tables) == [
        ("blue bag", "7", 1), ("blue bag", "9", 1), ("red boot", "7", 1), ("red boot", "8", 1)
    ]  # fmt: skip


def test_marqo_gs_10m_scores_become_grades_of_the_split_that_is_there(
    read: Callable[..., Any], listed: Listed, tmp_path: Path
):
    folder = listed("in_domain-00000-of-00001.parquet", "product_id", "gs")
    tables, _ = read("marqo_gs_10m", folder)
    assert {grade for _, _, grade in judged(tables)} == {3}
    assert len(tables.items) == 3
    with pytest.raises(DataError, match=r"no data/zero_shot-\*\.parquet"):
        prepare(dataset_named("marqo_gs_10m"), folder, tmp_path / "to", "zero_shot")


def test_unknown_names_and_parts_are_refused_with_those_there_are(tmp_path: Path, esci: Path):
    with pytest.raises(ParamsError, match=r"expected one of amazon_products.*Did you mean 'kagl'"):
        dataset_named("kagll")
    with pytest.raises(ParamsError, match=r"it has us, es, jp.*Did you mean 'us'"):
        prepare(dataset_named("esci"), esci, tmp_path / "to", "uss")
