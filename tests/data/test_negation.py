"""What queries say is not wanted."""

import pytest

from smar.data.negation import DENIALS, Negation, Unwanted, negation_of
from smar.index.word_forms import STEMMERS


def parted(text: str, language: str) -> tuple[str, list[str]] | None:
    found = negation_of(text, language)
    return found and (found.wanted, [" ".join(each.phrase) for each in found.unwanted])


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("shirt not red", "shirt", ["red"]),
        ("not red shirt", "shirt", ["red"]),
        ("non floral dress", "dress", ["floral"]),
        ("blue non-floral dress", "blue dress", ["floral"]),
        ("no stripes dress", "dress", ["stripes"]),
        ("dress without any stripes", "dress", ["stripes"]),
        ("dress without red stripes", "dress", ["red stripes"]),
        ("shirt but not in red", "shirt", ["red"]),
        ("shirt not red slim", "shirt slim", ["red"]),
        ("shirt not red or blue", "shirt", ["red", "blue"]),
        ("shirt not red nor blue", "shirt", ["red", "blue"]),
        ("shirt not red not blue", "shirt", ["red", "blue"]),
        ("skirt without dots and stripes", "skirt", ["dots", "stripes"]),
        ("skirt with dots and no stripes", "skirt with dots", ["stripes"]),
        ("skirt without dots but not red", "skirt", ["dots", "red"]),
        ("toys not for kids", "toys", ["kids"]),
        ("juice not from concentrate", "juice", ["concentrate"]),
        ("shoes not made of leather", "shoes", ["leather"]),
        ("no added sugar juice", "juice", ["sugar"]),
        ("shirt (not red)", "shirt", ["red"]),
        ("shirt, not red.", "shirt", ["red"]),
        ('shirt not "red"', "shirt", ["red"]),
        ("shirt - not red!", "shirt", ["red"]),
        ("shirt not red, blue", "shirt blue", ["red"]),
        ("shirt not red, or blue", "shirt", ["red", "blue"]),
        ("dress without red stripes, long", "dress long", ["red stripes"]),
        ("shirt not v-neck", "shirt", ["v neck"]),
        ("blue non\u2011floral dress", "blue dress", ["floral"]),
        ("jeans not levi's", "jeans", ["levi's"]),
    ],
)
def test_what_is_denied_is_parted_from_what_is_wanted(text: str, wanted: str, unwanted: list[str]):
    assert parted(text, "english") == (wanted, unwanted)


@pytest.mark.parametrize(
    "text",
    ["", "red shirt", "notebook", "nordic knot", "not red", "without stripes", "no 7 cream",
     "shirt without", "shirt not", "lamp not 60w", "nonstick pan", "shirt and trousers",
     "not your mothers shampoo", "shampoo not only for women", "chips not too spicy",
     "no more tears shampoo", "no show socks",
     "cable no longer than 2 m", "shirt not in", "shirt not -", "! - ,"],
)  # fmt: skip
def test_query_that_denies_nothing_or_wants_nothing_is_left_whole(text: str):
    assert negation_of(text) is None


@pytest.mark.parametrize(
    ("language", "text", "wanted", "unwanted"),
    [
        ("german", "kleid ohne streifen und punkte", "kleid", ["streifen", "punkte"]),
        ("german", "hemd nicht rot oder blau", "hemd", ["rot", "blau"]),
        ("german", "kein rotes hemd", "hemd", ["rotes"]),
        ("german", "spielzeug nicht f\u00fcr kinder", "spielzeug", ["kinder"]),
        ("french", "robe sans rayures", "robe", ["rayures"]),
        ("french", "chemise pas rouge ni bleue", "chemise", ["rouge", "bleue"]),
        ("spanish", "camisa sin rayas rojas", "camisa", ["rayas rojas"]),
        ("spanish", "camisa no roja", "camisa", ["roja"]),
        ("italian", "camicia senza righe", "camicia", ["righe"]),
        ("italian", "camicia non rossa", "camicia", ["rossa"]),
        ("dutch", "jurk zonder strepen", "jurk", ["strepen"]),
        ("dutch", "geen rood hemd", "hemd", ["rood"]),
        ("portuguese", "camisa sem listras", "camisa", ["listras"]),
        ("portuguese", "camisa n\u00e3o vermelha", "camisa", ["vermelha"]),
        ("swedish", "skjorta utan r\u00e4nder", "skjorta", ["r\u00e4nder"]),
        ("danish", "skjorte uden striber", "skjorte", ["striber"]),
        ("norwegian", "skjorte uten striper, ikke r\u00f8d", "skjorte", ["striper", "r\u00f8d"]),
    ],
)
def test_other_languages_deny_by_their_own_words(
    language: str, text: str, wanted: str, unwanted: list[str]
):
    assert parted(text, language) == (wanted, unwanted)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("french", "robe pas cher"),
        ("french", "souris sans fil noire"),
        ("portuguese", "fone sem fio"),
        ("italian", "cuffie senza fili"),
        ("german", "hemd nicht nur blau"),
        ("german", "shirt not red"),
        ("english", "kleid ohne streifen"),
        ("finnish", "shirt not red"),
        ("none", "shirt not red"),
    ],
)
def test_words_deny_in_their_language_alone(language: str, text: str):
    assert negation_of(text, language) is None


def test_every_language_is_one_that_words_are_stemmed_for():
    assert set(DENIALS) <= set(STEMMERS)


def test_joined_word_of_the_shop_is_what_is_wanted():
    found = negation_of("non stick pan", is_known={"nonstick"}.__contains__)
    assert found == Negation("nonstick pan", (Unwanted(("stick",), "nonstick"),))
    found = negation_of("pan not stick", is_known={"nonstick", "notstick"}.__contains__)
    assert found == Negation("pan", (Unwanted(("stick",)),))
