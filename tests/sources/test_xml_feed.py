"""XML feeds as shops write them: by hand, with two namespaces and HTML in between."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smar.errors import DataError
from smar.sources.xml_feed import read_xml

G = 'xmlns:g="http://base.google.com/ns/1.0"'


def rows(folder: Path, items: str, head: str = "", encoding: str = "utf-8") -> list[dict[str, Any]]:
    text = f"{head}<rss version='2.0' {G}><channel><title>S</title>{items}</channel></rss>"
    (folder / "f.xml").write_bytes(text.encode(encoding))
    table = read_xml(folder / "f.xml", "auto", "ingest.feed.encoding")
    return table.frame.to_dict("records")


def test_google_elements_win_over_plain_ones(tmp_path: Path):
    item = "<item><title>plain</title><g:title>ours</g:title><id>urn:1</id><g:id>7</g:id></item>"
    assert rows(tmp_path, item) == [{"title": "ours", "id": "7"}]


def test_repeated_elements_are_lists_and_empty_ones_nothing(tmp_path: Path):
    item = "<item><g:a>1</g:a><g:a>2</g:a><g:b/><g:b>3</g:b><g:c></g:c></item>"
    assert rows(tmp_path, item) == [{"a": ["1", "2"], "b": "3"}]


def test_nested_prices_do_not_become_the_item_s(tmp_path: Path):
    item = "<item><g:price>9</g:price><g:shipping><g:price>4</g:price></g:shipping></item>"
    assert rows(tmp_path, item) == [{"price": "9", "shipping": {"price": "4"}}]


def test_text_with_markup_is_read_whole(tmp_path: Path):
    item = "<item><title>Red <i>enamel</i> pan</title><d><b>one</b> <b>two</b></d></item>"
    assert rows(tmp_path, item) == [{"title": "Red enamel pan", "d": "one two"}]


def test_product_details_are_columns(tmp_path: Path):
    detail = "<g:attribute_name>Ply</g:attribute_name><g:attribute_value>3</g:attribute_value>"
    item = f"<item><g:id>1</g:id><g:product_detail>{detail}</g:product_detail></item>"
    assert rows(tmp_path, item) == [{"Ply": "3", "id": "1"}]


def test_entities_of_html_and_bare_ampersands_are_mended_and_said(tmp_path: Path):
    text = (
        f"<rss {G}>\n<item><title>Caf&eacute; &amp; bar & <![CDATA[R&D &eacute;]]> &#233;</title>"
        "<l>a?b=1&c=2</l></item>\n</rss>"
    )
    (tmp_path / "f.xml").write_text(text)
    table = read_xml(tmp_path / "f.xml", "auto", "s")
    assert table.frame["title"][0] == "Caf\u00e9 & bar & R&D &eacute; \u00e9"
    assert table.frame["l"][0] == "a?b=1&c=2"
    assert table.notes == [
        "1 x an entity of HTML, which XML does not have (first: line 2)",
        "2 x a bare '&', read as '&amp;' (first: line 2)",
    ]


def test_atom_entries_products_and_offers(tmp_path: Path):
    atom = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><link href='u'/></entry></feed>"
    )
    (tmp_path / "a.xml").write_text(atom)
    assert read_xml(tmp_path / "a.xml", "auto", "s").frame.to_dict("records") == [
        {"id": "1", "link": "u"}
    ]
    (tmp_path / "b.xml").write_text(
        "<shop><offers><offer id='5'><name>Pan</name></offer></offers></shop>"
    )
    assert read_xml(tmp_path / "b.xml", "auto", "s").frame.to_dict("records") == [
        {"id": "5", "name": "Pan"}
    ]


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-2", "utf-8", "utf-16"])
def test_declared_encoding_is_used_where_the_file_is_not_utf8(tmp_path: Path, encoding: str):
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    item = "<item><title>Gr\u00fc\u00dfe</title></item>"
    assert rows(tmp_path, item, head, encoding) == [{"title": "Gr\u00fc\u00dfe"}]


def test_declared_encoding_that_is_wrong_is_not_believed(tmp_path: Path):
    head = '<?xml version="1.0" encoding="iso-8859-1"?>'
    assert rows(tmp_path, "<item><t>\u00fc</t></item>", head, "utf-8") == [{"t": "\u00fc"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<rss><item><id>1</id></rss>", "line 1"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><rss><item><t>x</t></item></rss>", "EntitiesForbidden"),
        ("", "no element found"),
    ],
)
def test_broken_and_dangerous_files_are_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "f.xml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_xml(tmp_path / "f.xml", "auto", "s")


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("<>&;/![CDATA]ab'\"=\x00\u00e9 \n"), max_size=60))
def test_any_text_gives_rows_or_a_message(tmp_path_factory, text: str):
    path = tmp_path_factory.getbasetemp() / "any.xml"
    path.write_text(f"<rss><item><id>1</id>{text}</item></rss>")
    try:
        read_xml(path, "auto", "s")
    except DataError:
        return


def test_numbers_of_characters_that_xml_forbids_are_blanks(tmp_path: Path):
    (tmp_path / "feed.xml").write_text(
        "<rss>\n<item><id>a</id><title>Bo&#1;ot&#x0;&#xFFFFFFF; &#233;&#x41;</title></item></rss>"
    )
    table = read_xml(tmp_path / "feed.xml", "auto", "encoding")
    assert table.frame["title"][0].split() == ["Bo", "ot", "\u00e9A"]
    assert "3 x the number of a character that XML does not allow (first: line 2)" in table.notes
