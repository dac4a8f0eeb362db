"""Published figures beside ours: right answers as published and as made, measured by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smar.cli import main
from smar.data.schema import normalize_query
from smar.datasets.command import comparison_table
from smar.datasets.comparison import PROTOCOL, SEARCH, Comparison, compare
from smar.datasets.registry import dataset_named
from smar.errors import DataError
from smar.models.encode import encode_queries
from smar.service.retriever import Retriever

KAGL = dataset_named("kagl")


def value(found: Comparison, task: str, metric: str, system: str) -> float:
    (line,) = [line for line in found.lines if (line.task, line.metric) == (task, metric)]
    return line.ours[system]


@pytest.fixture
def found(small_project: Path, kagl: Path) -> Comparison:
    return compare(KAGL, kagl, None, small_project, "v1", seed=1)


def test_every_published_figure_stands_beside_ours(found: Comparison):
    assert len(found.lines) == sum(len(task.metrics) for task in KAGL.tasks)
    by_line = {(line.task, line.metric): line for line in found.lines}
    assert by_line["text-to-image", "recall@10"].published["FashionSigLIP"] == 0.489
    for line in found.lines:
        systems = {PROTOCOL} if line.task == "text-to-image" else {PROTOCOL, SEARCH}
        assert set(line.ours) == systems
        assert all(0 <= ours <= 1 for ours in line.ours.values())
    assert [line.queries for line in found.lines if line.metric == "mrr@10"] == [
        6, 2, 2, 2, 3, 1, 1
    ]  # fmt: skip
    assert found.release == "v1"


def test_what_differs_is_said(found: Comparison):
    said = "\n".join(found.differs)
    assert "NOT COMPARABLE: 12 items, 44,434 as published" in said
    assert (
        "NOT COMPARABLE: color-to-product: 2 of 14 right answers are not in this catalogue; "
        "1 queries have none left and are out" in said
    )
    assert "text-to-image: right answers are made from the catalogue's title" in said
    assert "has seen it" in said
    table = comparison_table(KAGL, found)
    assert "0.489" in table
    assert "LEADERBOARD.md" in table


def test_search_finds_words_that_titles_hold(found: Comparison):
    """Each colour's four items are found first: the words of a title say it."""
    # Twelve items, ten places: four of them right.
    assert value(found, "color-to-product", "mrr@10", SEARCH) == 1.0
    assert value(found, "color-to-product", "precision@10", SEARCH) == pytest.approx(0.4)


def test_text_to_image_is_the_order_of_picture_vectors(
    small_project: Path, kagl: Path, monkeypatch: pytest.MonkeyPatch
):
    """Recall counted by a loop over queries and pictures gives the same figure."""
    kept = {}
    from smar.datasets import comparison

    encode = comparison.encode_items

    def spy(model, items, images, batch):  # type: ignore[no-untyped-def]
        kept["items"], kept["vectors"] = items, encode(model, items, images, batch)
        return kept["vectors"]

    monkeypatch.setattr(comparison, "encode_items", spy)
    found = compare(KAGL, kagl, None, small_project, "none", seed=1)
    items, vectors = kept["items"], kept["vectors"]
    recalls = []
    model = Retriever.load(small_project, "none").model
    for title in sorted(set(items["title"])):
        (query,) = encode_queries(model, [normalize_query(title)]).vector
        scores = [float(query @ image) for image in vectors.image]
        best = int(np.argmax(scores))
        right = set(np.flatnonzero(items["title"] == title))
        recalls.append(len({best} & right) / len(right))
    ours = value(found, "text-to-image", "recall@1", PROTOCOL)
    assert ours == pytest.approx(float(np.mean(recalls)))
    # Nothing but the title says anything of an item, as the published systems saw it.
    assert not items[["brand", "category", "attributes", "description"]].to_numpy().any()


def test_right_answers_may_lie_elsewhere_and_have_to_be_some(
    small_project: Path, kagl: Path, tmp_path: Path
):
    elsewhere = tmp_path / "answers"
    (kagl / "gt_query_doc").rename(elsewhere)
    found = compare(KAGL, kagl, elsewhere, small_project, "none", seed=1)
    assert any("color-to-product: 2 of 14" in text for text in found.differs)
    with pytest.raises(DataError, match=r"holds none of ground_truth_text-image\.json"):
        compare(KAGL, kagl, kagl / "data", small_project, "none", seed=1)
    file = elsewhere / "ground_truth_baseColour-image+text.json"
    file.write_text('["no mapping"]')
    with pytest.raises(DataError, match="is no file of right answers"):
        compare(KAGL, kagl, elsewhere, small_project, "none", seed=1)


def test_columns_that_a_part_lacks_leave_their_tasks_without_figures(
    small_project: Path, tmp_path: Path
):
    folder = tmp_path / "part"
    folder.mkdir()
    lines = [f"{n},Red tee {n},Apparel > Topwear > Tshirts,{n}.jpg" for n in range(4)]
    (folder / "products.csv").write_text("id,title,product_type,image_link\n" + "\n".join(lines))
    found = compare(KAGL, folder, None, small_project, "none", seed=1)
    assert "color-to-product: no column baseColour" in found.differs
    assert "4 items have no picture that can be read" in found.differs
    assert {line.queries for line in found.lines if line.task == "color-to-product"} == {0}
    assert " - " in comparison_table(KAGL, found)


def test_tasks_by_query_take_the_right_answers_of_every_query(
    small_project: Path, listed: Callable[[str, str, str], Path]
):
    folder = listed("data-00000.parquet", "item_ID", "google")
    found = compare(dataset_named("google_shopping"), folder, None, small_project, "none", seed=1)
    # Three items, two right for each of two queries: ten places hold both.
    assert value(found, "category-to-image", "precision@10", PROTOCOL) == pytest.approx(0.2)
    assert value(found, "text-to-image", "recall@10", PROTOCOL) == 1.0


def test_data_set_without_a_task_tells_its_published_figures(small_project: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"fine-tuned cross-encoders: nDCG 0\.83"):
        compare(dataset_named("esci"), tmp_path, None, small_project, "none", seed=1)


def test_command_line_lists_prepares_and_compares(
    small_project: Path, kagl: Path, capsys: pytest.CaptureFixture[str]
):
    root = ["--root", str(small_project)]

    def told(*arguments: str) -> str:
        assert main(["dataset", *arguments, *root]) == 0
        return capsys.readouterr().out

    listed = told("list")
    assert all(name in listed for name in ("esci", "wands", "home_depot", "marqo_gs_10m"))
    assert "12 of 44,434 rows" in told("list", "kagl", "--source", str(kagl))
    assert json.loads(told("list", "wands", "--json"))[0]["licence"] == "MIT"
    prepared = told("prepare", "kagl", "--source", str(kagl), "--to", "data/raw/kagl")
    assert "12 items, 12 pictures" in prepared
    assert "xargs -a data/raw/kagl/settings.args dvc exp run" in prepared
    arguments = (small_project / "data/raw/kagl/settings.args").read_text()
    assert "-S gate.visual_categories=[Apparel,Footwear,Accessories]\n" in arguments
    assert "-S ++ingest.feed.columns.attributes=gender\n" in arguments
    compared = json.loads(told("compare", "kagl", "--source", str(kagl), "--json"))
    assert compared["lines"][0]["published"]["FashionSigLIP"] == 0.179
    assert main(["dataset", "prepare", *root]) == 2
    assert "needs NAME, --source FOLDER, --to FOLDER" in capsys.readouterr().err
