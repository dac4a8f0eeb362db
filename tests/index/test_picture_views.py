"""What pictures are described by: which of it speaks for a word, on items a fit has not seen."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from smar.index.discriminants import FOLDS
from smar.index.picture_views import Views, learned_of

SIZE = 600


def shop(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return S_i, colours and two words: colours tell the first, S_i tells the second."""
    rng = np.random.default_rng(seed)
    words = rng.random((SIZE, 2)) < 0.3
    image = rng.normal(0, 0.4, (SIZE, 6)).astype(np.float32)
    image[:, 0] += words[:, 1]
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    colours = rng.integers(0, 120, (SIZE, 5), dtype=np.uint8)
    colours[:, 0] += (100 * words[:, 0]).astype(np.uint8)
    return image, colours, words


def learned(image: np.ndarray, colours: np.ndarray, words: np.ndarray):
    rows = np.random.default_rng(1).permutation(SIZE)
    kinds = np.arange(SIZE) % 3
    return learned_of(Views(image, colours), rows, csr_matrix(words.astype(float)), kinds)


def test_each_word_has_the_view_that_tells_it():
    found = learned(*shop())
    assert found.views.names == ("colours", "colours and S_i")
    assert found.view.tolist() == [0, 1]
    assert (found.auc > 0.85).all()
    assert (found.error > 0).all()


def test_without_colours_s_i_alone_speaks():
    image, colours, words = shop()
    found = learned(image, colours[:, :0], words)
    assert found.views.names == ("S_i",)
    assert found.auc[1] > 0.85
    assert found.auc[0] < 0.6


def test_an_item_is_scored_by_what_was_fitted_to_others():
    image, colours, _ = shop()
    words = np.random.default_rng(5).random((SIZE, 2)) < 0.02  # nothing tells them
    found = learned(image, colours, words)
    rows = np.arange(SIZE)
    chances = found.probability(rows, np.arange(2))
    assert np.abs(found.auc - 0.5).max() < 0.25
    for fold in range(FOLDS):
        here = found.views.folds == fold
        changed = words.copy()
        changed[here] = ~changed[here]
        again = learned(image, colours, changed)
        for word in range(2):
            fit = again.fits[found.view[word]][fold]
            columns = found.views.columns[found.view[word]]
            theirs = fit.probability(found.views.of(rows[here])[:, columns])[:, word]
            assert np.allclose(theirs, chances[here, word])


def test_pictures_of_the_same_colours_are_of_one_fold():
    image, colours, _ = shop()
    colours[::2] = colours[1::2]
    folds = Views(image, colours).folds
    assert (folds[::2] == folds[1::2]).all()
    assert set(folds.tolist()) == set(range(FOLDS))


@pytest.mark.parametrize("words", [[0], [1], [1, 0], []])
def test_some_words_are_columns_of_all(words: list[int]):
    found = learned(*shop())
    rows = np.array([5, 3, 400])
    some = found.probability(rows, np.array(words, np.int64))
    assert np.allclose(some, found.probability(rows, np.arange(2))[:, words])
