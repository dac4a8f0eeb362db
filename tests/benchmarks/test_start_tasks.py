"""What starts are measured on."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.start_shop import with_less_log
from benchmarks.start_tasks import colours, products_of, title_to_picture
from smar.data import schema
from smar.params import load_params
from smar.paths import Paths


def test_a_title_is_ranked_among_all_pictures():
    image = np.eye(12, dtype=np.float32)
    image[11] = 0  # no picture
    titles = np.stack([image[0], image[1] + 2 * image[2], -image[3]])
    found = title_to_picture(titles, image, np.array([0, 1, 3]))
    # First, second, and behind the ten others that have a picture.
    assert found["title_r@1"].mean() == pytest.approx(1 / 3)
    assert found["title_r@10"].mean() == pytest.approx(2 / 3)
    assert found["title_mrr@10"].mean() == pytest.approx((1 + 1 / 2) / 3)


def test_products_are_found_by_their_picture_and_a_little_by_their_text():
    red, blue = np.eye(2, dtype=np.float32)
    values = ["Red"] * 10 + ["Blue"] * 10 + [""] * 3 + ["Green"] * 9
    image = np.array([red] * 10 + [blue] * 5 + [red] * 5 + [0 * red] * 12)
    text = np.array([red] * 10 + [blue] * 10 + [0 * red] * 12)

    def encode(texts):
        assert list(texts) == ["blue", "red"]  # green has fewer than ten items
        return np.stack([blue, red])

    found, count = products_of(encode, image, text, values)
    assert count == 2
    assert found == pytest.approx(1.0)  # the text of five blue ones is nearer than nothing
    without = products_of(encode, image, 0 * text, values)[0]
    assert without == pytest.approx((0.5 + 1.0) / 2)


def test_a_title_has_the_one_colour_that_it_names():
    assert colours(["Red Shirt", "red and blue shirt", "Shirt", "redder shirt"]) == [
        "red",
        "",
        "",
        "",
    ]


def test_a_shop_with_less_log_has_a_share_of_its_training_queries(
    shared_project: Path, tmp_path: Path
):
    whole = schema.read_table(Paths(shared_project).queries, schema.QUERIES)
    less = Paths(with_less_log(shared_project, 0.2, 7, tmp_path / "less"))
    found = schema.read_table(less.queries, schema.QUERIES)
    of_training = [int((table["split"] == "train").sum()) for table in (whole, found)]
    assert 0.05 < of_training[1] / of_training[0] < 0.4
    held = whole[whole["split"] != "train"].reset_index(drop=True)
    assert found[found["split"] != "train"].reset_index(drop=True).equals(held)
    assert less.items.read_bytes() == Paths(shared_project).items.read_bytes()
    assert load_params(less.params).seed == load_params(Paths(shared_project).params).seed
