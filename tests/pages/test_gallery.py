"""Pages escape what comes from data, and need nothing beside themselves."""

from pathlib import Path

import numpy as np

from smar.pages import plots
from smar.pages.gallery import Example, Group, Strip, Tile, picture_uri, write_gallery

EVIL = '"><script>alert(1)</script>'


def test_every_text_of_a_page_is_escaped(tmp_path: Path):
    tile = Tile(title=EVIL, brand=EVIL, price=EVIL, badge=EVIL, note=EVIL, hint=EVIL)
    example = Example(EVIL, EVIL, 0.5, [Strip(EVIL, EVIL, [tile])])
    write_gallery(tmp_path / "page.html", EVIL, EVIL, [Group(EVIL, EVIL, [example])])
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == page.count("alert(1)") > 10


def test_page_fetches_nothing(tmp_path: Path):
    tile = Tile(title="a", image=picture_uri(np.zeros((8, 8, 3), np.uint8)))
    example = Example("q", "", None, [Strip("", "", [tile])])
    write_gallery(tmp_path / "page.html", "t", "", [Group("", "", [example])])
    page = (tmp_path / "page.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert "http" not in page
    assert "<link" not in page


def test_chart_labels_are_escaped():
    assert "<script" not in plots.bars([("x", EVIL, 0.5, (0.4, 0.6))])
    assert "<script" not in plots.lines([EVIL, "@5"], {"x": (EVIL, [0.1, 0.2])})


def test_histogram_bars_follow_the_counts():
    chart = plots.histogram(np.array([0.0, 0.0, 1.0], np.float32), bins=2)
    assert 'height="120.0"' in chart
    assert 'height="60.0"' in chart
