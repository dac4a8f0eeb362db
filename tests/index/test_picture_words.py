"""Words that pictures tell: which are found, in which items, and what they count."""

import numpy as np
import pytest

from smar.index.picture_words import Pictured, _auc_within, _Fit, words_of_pictures
from smar.index.words import WordIndex

COLOURS = ("red", "teal", "pink")


def shop(size: int = 400, untold: float = 0.5, *, seed: int = 0) -> tuple[list[str], Pictured]:
    """Return texts of dresses and lamps of three colours, which pictures show and some name.

    S_i has the colour, the type and noise. Every item was clicked for its colour and type, and for
    its brand, of which pictures show nothing.
    """
    rng = np.random.default_rng(seed)
    colour, kind, brand = (rng.integers(0, most, size) for most in (3, 2, 2))
    image = rng.normal(0, 0.3, (size, 6)).astype(np.float32)
    image[np.arange(size), colour] += 1
    image[:, 3] += 2 * kind - 1
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    names_it = rng.random(size) > untold
    kinds, brands = ("dress", "lamp"), ("acme", "zeta")
    texts = [
        " ".join([brands[b], *([COLOURS[c]] if told else []), kinds[k]])
        for b, c, k, told in zip(brand, colour, kind, names_it, strict=True)
    ]
    queries = [f"{COLOURS[c]} {kinds[k]}" for c, k in zip(colour, kind, strict=True)]
    queries += [brands[b] for b in brand]
    return texts, Pictured(
        image=image,
        categories=[kinds[k] for k in kind],
        brands=[brands[b] for b in brand],
        rows=[*range(size), *range(size)],
        queries=queries,
    )


def names(words: WordIndex, told: list) -> set[str]:
    return {word for word, number in words.vocabulary.items() for w in told if w.number == number}


def test_colours_are_told_and_what_texts_say_or_no_picture_shows_is_not():
    texts, given = shop()
    words = WordIndex.build(texts)
    told = words_of_pictures(words, given, 0.5, 7)
    assert names(words, told) == set(COLOURS)
    for word in told:
        name = next(iter(names(words, [word])))
        assert not any(name in texts[row].split() for row in word.rows)
        is_shown = np.array([query.startswith(name) for query in given.queries[: len(texts)]])
        lacks = np.array([name not in text for text in texts])
        assert word.weights[is_shown[word.rows]].sum() > 0.9 * word.weights.sum()
        assert is_shown[word.rows].sum() > 0.9 * (is_shown & lacks).sum()


def test_without_a_log_texts_alone_teach_and_brands_are_no_words_of_pictures():
    texts, given = shop()
    words = WordIndex.build(texts)
    alone = Pictured(given.image, given.categories, given.brands, [], [])
    assert names(words, words_of_pictures(words, alone, 0.5, 7)) == set(COLOURS)
    named = [text.replace("red", "") for text in texts]
    brands = ["red" if "red" in text else "" for text in texts]  # the word is a brand's
    alone = Pictured(given.image, given.categories, brands, [], [])
    words = WordIndex.build([f"{b} {text}" for b, text in zip(brands, named, strict=True)])
    assert "red" not in names(words, words_of_pictures(words, alone, 0.5, 7))


def test_a_word_counts_the_less_the_surer_it_is_not_and_never_more_than_its_weight():
    texts, given = shop()
    words = WordIndex.build(texts)
    own = words.item_weights()
    for word, half in zip(
        words_of_pictures(words, given, 1.0, 7),
        words_of_pictures(words, given, 0.5, 7),
        strict=True,
    ):
        mean = own[:, [word.number]].data.mean()
        assert 0 < word.weights.min() < word.weights.max() <= mean * (1 + 1e-6)
        assert np.allclose(word.weights, 2 * half.weights)


@pytest.mark.parametrize("which", ["nothing", "few pictures", "no pictures", "noise"])
def test_no_word_is_told_where_nothing_can_be_learned(which: str):
    texts, given = shop(untold=0.5)
    image, weight = given.image.copy(), 0.5
    if which == "nothing":
        weight = 0.0
    elif which == "few pictures":
        image[30:] = 0
    elif which == "no pictures":
        image[:] = 0
    else:
        image = np.random.default_rng(1).permutation(image)
    changed = Pictured(image, given.categories, given.brands, given.rows, given.queries)
    assert words_of_pictures(WordIndex.build(texts), changed, weight, 7) == []


def test_items_without_a_picture_get_no_word():
    texts, given = shop()
    given.image[::2] = 0
    for word in words_of_pictures(WordIndex.build(texts), given, 0.5, 7):
        assert len(word.rows)
        assert (word.rows % 2 == 1).all()


def test_log_odds_are_those_of_two_normal_classes_of_one_covariance():
    from scipy.sparse import csc_matrix
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    told = rng.random(3000) < 0.3
    image = (rng.normal(size=(3000, 4)) + told[:, None] * [1.0, 0.5, 0, 0]).astype(np.float32)
    fit = _Fit.of(image, csc_matrix(told[:, None].astype(float)))
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(image, told).predict_proba(image)[:, 1]
    assert np.abs(fit.probability(image)[:, 0] - theirs).max() < 0.02  # which adds no ridge


def test_auc_within_categories_is_that_of_all_pairs_of_one_category():
    rng = np.random.default_rng(0)
    score, told, of = rng.random(200), rng.random(200) < 0.4, rng.integers(0, 4, 200)
    pairs = [
        (score[a] > score[b], of[a])
        for a in np.flatnonzero(told) for b in np.flatnonzero(~told) if of[a] == of[b]
    ]  # fmt: skip
    means = [np.mean([right for right, c in pairs if c == each]) for each in range(4)]
    expected = np.average(means, weights=[told[of == each].sum() for each in range(4)])
    assert _auc_within(score, told, of) == pytest.approx(expected)
    assert _auc_within(score, np.ones(200, bool), of) == 0
