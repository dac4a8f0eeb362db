"""Categories: whatever parts the levels, and Google's numbers."""

from pathlib import Path

import pytest

from smar.errors import DataError
from smar.sources.categories import category_levels, category_numbers


def levels(*cells: object) -> list[str]:
    return category_levels(cells, category_numbers(None))[0]


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
    assert category_levels(["166", 187, "999999", ""], known) == (
        ["Apparel & Accessories", "Apparel & Accessories > Shoes", "999999", ""],
        1,
    )


def test_google_list_in_any_language_is_read(tmp_path: Path):
    path = tmp_path / "taxonomy.txt"
    path.write_text("# Google_Product_Taxonomy_Version: 2021-09-21\n187 - Bekleidung > Schuhe\n")
    assert category_numbers(path) == {"187": "Bekleidung > Schuhe"}
    path.write_text("id,title\n")
    with pytest.raises(DataError, match=r"no line like '187 .*ingest\.feed\.taxonomy"):
        category_numbers(path)
    with pytest.raises(DataError, match=r"no such file\. Check ingest\.feed\.taxonomy"):
        category_numbers(tmp_path / "none.txt")
