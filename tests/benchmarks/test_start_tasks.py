"""What starts are measured on."""

import numpy as np
import pytest

from benchmarks.start_tasks import colours, products_of, title_to_picture


def test_a_title_is_ranked_among_all_pictures():
    image = np.eye(12, dtype=np.float32)
    image[11] = 0  # no picture
    titles = np.stack([image[0], image[1] + 2 * image[2], -image[3]])
    found = title_to_picture(titles, image, np.array([0, 1, 3]))
    # First, second, and behind the ten others that have a picture.
    assert found["title_r@1"] == pytest.approx(1 / 3)
    assert found["title_r@10"] == pytest.approx(2 / 3)
    assert found["title_mrr@10"] == pytest.approx((1 + 1 / 2) / 3)


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
