"""A pretrained start that training makes worse is told in the vectors."""

import numpy as np
import pytest

from smar.train.start import check_against_start


def test_training_that_ruins_the_vectors_fails_the_check():
    found = check_against_start(
        {"text": 0.985, "image": 0.1, "multimodal": 0.99, "gated": 0.98},
        {"text": 0.09, "image": 0.05, "multimodal": 0.1, "gated": 0.104},
        "pretrain",
    )
    assert not found.passed
    assert "0.985 (text) before training, 0.104 (gated) after pretrain" in found.text
    assert "lower pretrain.learning_rate or pretrain.pretrained_rate" in found.text
    assert found.figures == {"before": 0.985, "after": 0.104}


@pytest.mark.parametrize("after", [0.976, 0.985, 1.0])
def test_training_that_keeps_the_vectors_passes(after: float):
    assert check_against_start({"text": 0.985}, {"text": 0.1, "gated": after}, "finetune").passed


def test_a_model_from_nothing_has_no_start():
    assert check_against_start({}, {"text": 0.1}, "pretrain").passed


def test_random_fusion_is_no_start():
    """S_m before training is a random mixture: only towers that were trained count."""
    found = check_against_start({"text": 0.5, "multimodal": 0.9}, {"gated": 0.5}, "pretrain")
    assert found.passed
    assert np.isclose(found.figures["before"], 0.5)
