"""What does not fit into memory is told with the setting that halves it."""

import pytest
import torch

from smar.errors import DataError
from smar.models.memory import told_of_memory


def test_what_was_held_and_what_halves_it_are_told():
    with (
        pytest.raises(DataError, match=r"^out of memory with 512 items \(.*\)\. Set it to 256\.$"),
        told_of_memory("512 items", "Set it to 256.", DataError),
    ):
        torch.empty(2**50)


def test_other_errors_stay_what_they_are():
    with (
        pytest.raises(RuntimeError, match="shapes cannot be multiplied"),
        told_of_memory("512 items", "Set it to 256.", DataError),
    ):
        torch.ones(2, 3) @ torch.ones(2, 3)
