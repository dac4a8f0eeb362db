"""Scripts, languages and words of texts."""

import re
from collections import Counter

import pandas as pd
import pytest

from smar.validation.language import (
    distance,
    frequent_words,
    known_words_frac,
    language_counts,
    sample,
    script_shares,
    word_counts,
)


def test_script_is_the_one_most_letters_are_of():
    texts = pd.Series(
        ["red boot", "\u043a\u0440\u0430\u0441\u043d\u044b\u0439 XL", "\u9774\u5b50", "123"]
    )
    shares = script_shares(texts)
    assert shares == pytest.approx({"cyrillic": 1 / 3, "han_kana": 1 / 3, "latin": 1 / 3})


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a chair that is made of oak and will last", "en"),
        ("Das ist ein Stuhl aus Eiche und er ist nicht klein", "de"),
        ("une chaise qui est dans la maison avec des fleurs", "fr"),
    ],
)
def test_language_follows_from_stop_words(text: str, language: str):
    assert language_counts(pd.Series([text])) == {language: 1}


def test_text_without_stop_words_has_no_language():
    assert language_counts(pd.Series(["Velmo boots 2m", "Velmo d m c", "boots for", ""])) == {}


def test_text_without_a_letter_has_no_script():
    assert script_shares(pd.Series(["12", "", "\u2462"])) == {}


def test_language_of_two_that_say_as_much_is_not_known():
    assert language_counts(pd.Series(["the and und ist"])) == {}
    assert language_counts(pd.Series(["the and with und ist"])) == {"en": 1}


def test_distance_of_mixes():
    assert distance({"en": 10}, {"en": 3}) == 0
    assert distance({"en": 1}, {"de": 7}) == 1
    assert distance({"en": 3, "de": 1}, {"en": 1, "de": 3}) == pytest.approx(0.5)


def test_frequent_words_come_in_a_stable_order():
    counts = word_counts(pd.Series(["b a", "a c", "B"]))
    assert frequent_words(counts, 2) == ["a", "b"]
    assert known_words_frac(counts, ["a", "b"]) == pytest.approx(4 / 5)
    assert known_words_frac(word_counts(pd.Series(["12"])), []) == 1


def test_words_of_texts_are_those_of_each_by_itself():
    texts = [
        "Boot",
        "",
        "2m lang",
        "\u03a3\u039f\u03a3",
        "\u03a3\u0391",
        "na\u00efve_x 'tis",
        "boot",
    ]
    each = [re.findall(r"\b[^\W\d_]+\b", text.lower()) for text in texts]
    assert word_counts(pd.Series(texts)) == Counter(word for words in each for word in words)


def test_sample_is_even_and_bounded():
    texts = pd.Series(range(50_001)).astype(str)
    chosen = sample(texts)
    assert len(chosen) == 16_667
    assert chosen.iloc[1] == "3"
    assert len(sample(texts[:20_000])) == 20_000
