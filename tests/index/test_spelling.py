"""What misspelled words are read as: a slow oracle, what stays as typed, and the files."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.data.misspell import misspell
from smar.errors import ArtifactError
from smar.index.letters import counted, read_letters
from smar.index.spelling import FILE, NearWords, Speller, Spelling
from smar.index.words import WordIndex

ITEMS = [
    "brown leather sandals Kestrel",
    "brown striped sandals",
    "teal lamp usb-c cable 2m wh-1000xm4",
    "teal armchair",
    "coffee machine filter",
]
ASKED = [*["brown trainers"] * 40, *["brown trianers"] * 3, *["gift for dad"] * 3, "lonely wish"]


@pytest.fixture(scope="module")
def words() -> WordIndex:
    return WordIndex.build(ITEMS)


@pytest.fixture(scope="module")
def spelling(words: WordIndex) -> Spelling:
    return Spelling.of(read_letters(ITEMS), counted(ASKED), words)


def slips_between(one: str, other: str) -> int:
    """Return the optimal string alignment distance of two words, by its recurrence."""
    if not one or not other:
        return len(one) + len(other)
    ways = [
        slips_between(one[:-1], other) + 1,
        slips_between(one, other[:-1]) + 1,
        slips_between(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    ]
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        ways.append(slips_between(one[:-2], other[:-2]) + 1)
    return min(ways)


@pytest.mark.parametrize("letters", ["abc", "a\u00e9\u0161\u4e00\U0001f600", "aA!a@"])
@pytest.mark.parametrize("slips", [0, 1, 2])
def test_near_words_are_all_that_a_slow_look_finds(letters: str, slips: int):
    """Letters that are 64 apart ("!" and "a") share a bit, which may hide no word."""
    rng = random.Random(7)
    words = ["".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(60)]
    near = NearWords(words)
    for word in words[:8]:
        expected = [(slips_between(word, other), other) for other in words]
        assert near.of(word, slips) == [pair for pair in expected if pair[0] <= slips]


def test_no_words_are_near_nothing():
    assert NearWords([]).of("lamp", 2) == []
    assert Speller({}).mended("lamp") == "lamp"


def test_short_words_and_numbers_are_left_alone():
    speller = Speller({"red": 9, "lamps": 4, "wh1000xm4": 3})
    assert [speller.mended(word) for word in ("rad", "wh1000xm5", "lomps", "limes")] == [
        "rad", "wh1000xm5", "lamps", "limes",
    ]  # fmt: skip


def test_of_near_words_the_most_frequent_one_is_meant():
    assert Speller({"bolds": 1, "colts": 9}).mended("bolts") == "colts"
    assert Speller({"books": 2, "boots": 1}).mended("boogs") == "books"
    assert Speller({"books": 1, "boots": 1}).mended("boogs") == "books"  # the first of equals


def test_long_words_may_have_two_slips_and_one_is_nearer():
    assert Speller({"sandals": 1}).mended("sadnlas") == "sadnlas"
    assert Speller({"armchair": 1}).mended("amrchiar") == "armchair"
    assert Speller({"armchairs": 9, "armchain": 1}).mended("armchaix") == "armchain"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("brown sandlas", "brown sandals"),
        ("browm strped sandals", "brown striped sandals"),
        ("usb-c cabel, 2m", "usb-c cable, 2m"),
        ("trianers", "trainers"),  # often typed, and a slip of what is typed far more often
        ("kestrle sandals", "kestrel sandals"),
    ],
)
def test_slips_are_read_as_what_is_meant(spelling: Spelling, typed: str, read: str):
    assert spelling.read(typed) == read
    assert spelling.is_mended(typed, read)
    assert spelling.read(read) == read


@pytest.mark.parametrize(
    "typed",
    [
        "tea",  # too short to tell
        "adidas",  # a brand that is near nothing
        "wh-1000xm5",
        "2mm cable 43mm",
        "1000cabel",
        "gift for dad",  # what shoppers ask for in words that no item has
        "",
        "?! -",
        "\u8336\u58f6 \u0e0a\u0e32",
    ],
)
def test_what_nobody_slipped_in_stays_as_typed(spelling: Spelling, typed: str):
    assert spelling.read(typed) == typed
    assert not spelling.is_mended(typed, typed)


def test_ending_that_nobody_used_is_read_as_the_usual_one_and_not_told(spelling: Spelling):
    assert spelling.read("brown sandal") == "brown sandals"
    assert not spelling.is_mended("brown sandal", "brown sandals")


def test_word_of_one_search_is_no_word_to_mend_to(spelling: Spelling):
    assert "lonely" not in spelling.counts
    assert spelling.read("lonelz") == "lonelz"


KNOWN = sorted({word for text in [*ITEMS, "gift for dad", "trainers"] for word in text.split()})


@given(st.lists(st.sampled_from(KNOWN), max_size=6), st.sampled_from([" ", "  ", ", "]))
def test_query_of_known_words_is_never_changed(chosen: list[str], between: str):
    text = between.join(chosen)
    assert SPELLING.read(text) == text


SPELLING = Spelling.of(read_letters(ITEMS), counted(ASKED), WordIndex.build(ITEMS))


def test_most_slips_of_a_shop_are_undone(spelling: Spelling):
    rng = random.Random(7)
    slipped = [(word, misspell(word, rng)) for word in ("sandals", "armchair", "machine") * 40]
    told = Counter(spelling.read(slip) == word for word, slip in slipped)
    assert told[True] > 0.95 * len(slipped)


def test_words_are_read_as_they_were_written(spelling: Spelling, words: WordIndex, tmp_path: Path):
    spelling.write(tmp_path)
    again = Spelling.load(tmp_path, words)
    assert again.counts == spelling.counts
    assert again.read("brown sandlas") == "brown sandals"


@pytest.mark.parametrize("content", [None, b"[", b"[1]", b'{"lamp": "x"}'])
def test_damaged_file_is_refused(words: WordIndex, tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        Spelling.load(tmp_path, words)


def test_words_of_texts_that_were_read_are_those_of_reading_them():
    texts = [
        "Teal lamp, caf\u00e9-set 256gb",
        "",
        "lamp lamp \u6771\u4eac x9",
        "na\u00efve T-shirt's",
    ]
    before = read_letters([texts[2], "gone words", texts[0]])
    joined, anew = read_letters(texts, before), read_letters(texts)
    assert joined.found_in() == anew.found_in() == counted(texts)
    assert joined.vocabulary == anew.vocabulary
    assert (joined.found_in()["lamp"], "" in joined.found_in()) == (2, False)
