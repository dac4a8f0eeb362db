"""Words of searches beside item texts."""

from itertools import pairwise

import pytest

from smar.data.searched_words import SearchedWords, with_words

TEXTS = ["cotton shirt ; Acme", "linen shirts", "sofa", "lamp"]
ASKED = {
    0: ["navy shirt", "navy shirt men", "shirt navy slim", "casual shirt", "navy cotton top"],
    1: ["navy linen", "white shirt", "white shirt men", "white linen", "casual white top"],
    2: [
        "grey sofa",
        "grey couch",
        "casual sofa",
        "grey wide seat",
        "wide sofa",
        "sofa grey wide",
        "wide bench",
        "wide grey bench",
    ],
}


def words(most: int = 8, **more: list[str]) -> SearchedWords:
    clicks = [(row, query) for row, queries in ASKED.items() for query in queries]
    clicks += [(int(name[1:]), query) for name, queries in more.items() for query in queries]
    rows, queries = zip(*clicks, strict=True)
    return SearchedWords(TEXTS, rows, queries, most)


def slow(row: int, least: int, asked: dict[int, list[str]]) -> list[str]:
    """Return an item's words, counted query by query, without a look at stems."""
    every = {query for queries in asked.values() for query in queries}
    found = []
    for word in {word for query in asked[row] for word in query.split()}:
        having = [query for query in every if word in query.split()]
        own = [query for query in asked[row] if word in query.split()]
        above = len(own) / len(asked[row]) - len(having) / len(every)
        if len(having) >= least and above > 0 and word not in TEXTS[row].split():
            found.append((-above, word))
    return [word for _, word in sorted(found)]


@pytest.mark.parametrize("row", [0, 2])
def test_words_are_those_that_a_count_finds(row: int):
    assert words().of(row).split() == slow(row, 5, ASKED)
    assert slow(row, 5, ASKED)


def test_words_of_the_text_are_left_out_in_any_ending():
    more = [f"shirt {letter}" for letter in "abcdefgh"]
    assert "shirt" not in words(_1=more).of(1).split()
    assert "shirt" in words(_3=more).of(3).split()


def test_slips_that_few_queries_have_are_not_told():
    told = {word for row in range(3) for word in words().of(row).split()}
    assert "white" not in told  # of four queries
    assert "white" in words(_1=["white"]).of(1).split()


def test_a_query_asked_again_says_nothing_new():
    assert words(_0=ASKED[0] * 3).all() == words().all()


def test_a_query_left_out_takes_those_of_its_stems_along():
    asked = ["navy shirt", "navy shirt men", "shirt navy slim", "navy cotton top"]
    both = words(_0=["shirts navy"])
    assert "navy" in both.of(0, without=asked[1:]).split()
    assert "navy" not in both.of(0, without=asked).split()  # nor by "shirts navy"


def test_the_surest_come_first_and_no_more_than_asked_for():
    every = words().of(2).split()
    assert len(every) > 1
    for fewer, more in pairwise(range(1, len(every) + 1)):
        assert words(most=more).of(2).split()[:fewer] == words(most=fewer).of(2).split()


def test_an_item_without_a_click_has_none():
    assert words().of(3) == ""
    assert words().all()[3] == ""


def test_words_stand_behind_texts():
    assert with_words(["shirt", "", "sofa"], ["navy", "teal", ""]) == [
        "shirt ; navy",
        "teal",
        "sofa",
    ]
