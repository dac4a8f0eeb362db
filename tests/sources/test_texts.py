"""Texts as a reader sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.sources.cells import texts_of
from smar.sources.texts import clean, clean_all, clean_key, clean_keys


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<b>Pan</b> &amp; lid", "Pan & lid"),
        ("Red <i>enamel</i> pan", "Red enamel pan"),
        ("M<sup>2</sup>", "M2"),
        ("<p>one</p><p>two</p><ul><li>a</li><li>b</li></ul>", "one two a b"),
        ("a<br/>b<br>c", "a b c"),
        ("Caf&eacute; &#8211; &amp;quot;M&amp;quot;", 'Caf\u00e9 \u2013 "M"'),
        ("size < 5 cm > 2", "size < 5 cm > 2"),
        ("AT&T phone", "AT&T phone"),
        ("a<script>x()</script>b<!-- no -->c", "a b c"),
        ("Pan\u200b \u202ered\x00lid", "Pan red lid"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("  two\u00a0\n  lines ", "two lines"),
        ("NULL", ""),
        ("None", ""),
        ("Pan none", "Pan none"),
        (12.5, "12.5"),
        (None, ""),
    ],
)
def test_text(raw: object, text: str):
    assert clean(raw) == text


@pytest.mark.parametrize(
    ("raw", "key"),
    [(" a  b ", "a  b"), ("N/A", "N/A"), ("null", ""), (7, "7"), ("<b>", "<b>"),
     ("00\ufeff7", "007")],
)  # fmt: skip
def test_key_is_kept_as_it_is(raw: object, key: str):
    assert clean_key(raw) == key


@given(st.text())
def test_cleaning_ends_in_one_printable_line(raw: str):
    text = clean(raw)
    assert text == " ".join(text.split())
    assert "\x00" not in text


CELLS = st.lists(
    st.one_of(
        st.text("ab &<>;\u00e9\t\n\u200b", max_size=6),
        st.sampled_from(
            ["NULL", "n/a", "None", "Pan", "", "nan", "a  b", " a", "a ", "&amp;", "7"]
        ),
        st.none(),
        st.integers(0, 9),
        st.just(["Pan"]),
    ),
    max_size=9,
)


@given(CELLS)
def test_cells_together_are_cells_one_by_one(cells: list[object]):
    assert clean_all(texts_of(cells)).to_pylist() == [clean(cell) for cell in cells]
    assert clean_keys(texts_of(cells)).to_pylist() == [clean_key(cell) for cell in cells]
