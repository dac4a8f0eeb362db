"""Every way to write a word is one word; digits and single characters stay."""

import pytest

from smar.index.word_forms import STEMMERS, WordForms, code_of, fold, runs_of
from smar.index.words import WordIndex
from smar.params import IndexParams


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＢＯＯＴ ﬁne", "boot fine"),  # noqa: RUF001
        ("Crème Brûlée", "creme brulee"),
        ("Cr\u0065\u0300me", "creme"),
        ("Straße", "strasse"),
        ("Ærø Øl Łódź Đak", "aero ol lodz dak"),
        ("İSTANBUL IŞIK ışık", "istanbul isik isik"),  # noqa: RUF001
        ("soft\u00adware \u200bzero", "software zero"),
        ("ποτέ", "ποτε"),
        ("مُحَمَّد", "محمد"),
        ("が", "が"),  # a Japanese letter, no marked one
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_spellings_fold_to_one(text: str, folded: str):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("query", "item"),
    [
        ("wh1000xm4", "Sony WH-1000XM4 black"),
        ("WH-1000XM4", "wh1000xm4"),
        ("wh 1000 xm4", "WH-1000XM4"),
        ("256 gb", "Disk 256GB"),
        ("256gb", "Disk 256 GB"),
        ("iphone8", "iPhone 8"),
        ("tshirt", "T-Shirt"),
        ("t-shirt", "tshirt"),
        ("3,5 mm", "Jack 3.5mm"),
        ("womens", "Women's"),
        ("creme", "Crème"),
        ("canta isik", "ÇANTA IŞIK"),
        ("靴", "革靴"),
        ("革靴", "赤い革靴です"),
        ("신발", "여성신발"),
        ("हिन्दी", "हिन्दी किताब"),
        ("8", "iphone 8"),
        ("ab 123 4", "AB-123/4"),
    ],
)
def test_query_finds_what_is_written_otherwise(query: str, item: str):
    shares = WordIndex.build(["other things", item, ""]).shares(query)
    assert shares[1] > 0
    assert shares[0] == shares[2] == 0


@pytest.mark.parametrize(
    ("query", "item"),
    [("35", "3.5"), ("12", "1/2"), ("iphone 8", "galaxy 7"), ("靴下", "革靴"), ("c", "cat")],
)
def test_query_does_not_find_something_else(query: str, item: str):
    assert not WordIndex.build([item, "z"]).shares(query).any()


def test_digits_tell_items_apart():
    words = WordIndex.build(["iphone 7 case", "iphone 8 case", "iphone case"])
    assert words.best("iphone 8", 3)[0].tolist()[0] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SKU-00017", "sku_00017"),
        ("4006381333931", "4006381333931"),
        ("012345678905", "0012345678905"),  # UPC and EAN of one item
        ("ab 12.34/5", "AB-12345"),
        ("B07CVR21VN", "b07cvr21vn"),
    ],
)
def test_item_is_found_by_its_code(query: str, code: str):
    words = WordIndex.build(["boot"] * 3, [["10"], [code], ["12345"]])
    assert words.best(query, 3)[0].tolist() == [1]


@pytest.mark.parametrize("text", ["boot", "7", "a1", "", "---"])
def test_words_and_short_numbers_are_no_codes(text: str):
    assert code_of(text) == ""


def test_forms_that_no_text_has_do_not_lower_a_share():
    words = WordIndex.build(["red t-shirt", "blue boot"])
    assert words.shares("t-shirt")[0] == pytest.approx(words.shares("t shirt tshirt")[0])


def test_stemmers_of_params_are_those_there_are():
    for name in ("english", "german", "turkish", "none"):
        assert WordForms(name).of_text("x") == ["x"]
    allowed = IndexParams.model_fields["stemmer"].annotation
    assert set(allowed.__args__) - {"auto", "none"} <= set(STEMMERS)


def test_stemmer_of_the_language():
    german = WordIndex.build(["Schuhe für Kinder"], stemmer="german")
    assert german.shares("schuh")[0] > 0
    assert WordIndex.build(["Schuhe für Kinder"], stemmer="none").shares("schuh")[0] == 0


@pytest.mark.parametrize("text", ["red lamp", "", "a-b", "abcd", "caf\u00e9"])
def test_text_without_a_digit_is_no_code(text: str):
    assert code_of(text) == ""


def test_digits_of_other_widths_are_digits_of_a_code():
    assert code_of("ab\uff11\uff12\u00b2") == "ab122"


@pytest.mark.parametrize(
    "text",
    [
        "red shirt",
        " red  shirt ",
        "",
        "wh1000xm4 256gb",
        "t-shirt 1/2 l",
        "o'neill's cap",
        "Rot",
        "r\u00f6d \u8d64\u3044",
    ],
)
def test_the_words_of_a_query_are_those_of_its_runs(text: str):
    forms = WordForms("english")
    runs = runs_of(text)
    assert runs == runs_of(f"{text} \u00e9")[:-1]  # plain queries are parted in another way
    assert forms.of_query(text) == [unit for run in runs for unit in forms.of_query_run(run)]
