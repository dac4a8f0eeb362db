"""Categories: whatever parts the levels, and Google's numbers."""

from pathlib import Path

import pytest

from smar.errors import DataError
from smar.sources.categories import category_levels, category_numbers


def levels(*cells: object) -> list[str]:
    return category_levels(cells, category_numbers(None))[0].cells


@pytest.mark.parametrize(
    "cell",
    ["Home > Pans", "Home>Pans", "Home/Pans", "Home | Pans", "Home|Pans", "Home \u00bb Pans",
     "Home / Pans", "> Home >> Pans >", "Home &gt; Pans", ["Home", "Pans"], "Home -> Pans"],
)  # fmt: skip
def test_levels_are_parted_by_whatever_a_shop_uses(cell: object):
    assert levels(cell) == ["Home > Pans"]


def test_a_slash_inside_a_level_stays():
    assert levels("Audio/Video > TVs", "Audio/Video", "Bags/Belts") == [
        "Audio/Video > TVs",
        "Audio/Video",
        "Bags > Belts",
    ]
    assert levels("Pipes 1/2 inch", "w/o cable") == ["Pipes 1/2 inch", "w/o cable"]


def test_google_numbers_have_names_and_unknown_ones_are_counted():
    known = category_numbers(None)
    found, num_unknown = category_levels(["166", 187, "999999", ""], known)
    expected = ["Apparel & Accessories", "Apparel & Accessories > Shoes", "999999", ""]
    assert (found.cells, num_unknown) == (expected, 1)


def test_google_list_in_any_language_is_read(tmp_path: Path):
    path = tmp_path / "taxonomy.txt"
    path.write_text("# Google_Product_Taxonomy_Version: 2021-09-21\n187 - Bekleidung > Schuhe\n")
    assert category_numbers(path) == {"187": "Bekleidung > Schuhe"}
    path.write_text("id,title\n")
    with pytest.raises(DataError, match=r"no line like '187 .*ingest\.feed\.taxonomy"):
        category_numbers(path)
    with pytest.raises(DataError, match=r"no such file\. Check ingest\.feed\.taxonomy"):
        category_numbers(tmp_path / "none.txt")


def test_number_of_a_float_column_and_a_line_of_the_list_are_levels():
    shoes = "Apparel & Accessories > Shoes"
    assert levels(187.0, "187.0", "187 - Apparel & Accessories > Shoes") == [shoes] * 3
    # Not known by number, but it says its levels; and a name that begins with one stays.
    assert levels("99999 - Pets > Hats", "3-piece suits") == ["Pets > Hats", "3-piece suits"]


def test_number_that_is_not_known_is_kept_as_a_level_and_counted():
    found, num_unknown = category_levels(["99999", "187"], category_numbers(None))
    assert (found.cells, num_unknown) == (["99999", "Apparel & Accessories > Shoes"], 1)
