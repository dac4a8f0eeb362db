"""Scored pairs that the losses are tested on."""

import pytest
import torch

from smar.losses.scored import ScoredPairs


@pytest.fixture
def pairs() -> ScoredPairs:
    """Six queries and five items with every kind of pair among them."""
    torch.manual_seed(0)
    allowed = torch.rand(6, 5) > 0.3
    return ScoredPairs(
        scores=torch.rand(6, 5) * 2 - 1,
        target=torch.tensor([0, 1, 2, 3, 4, 0]),
        allowed=allowed,
        shown=allowed & (torch.rand(6, 5) > 0.5),
        grade=torch.tensor([4.0, 1.0, 2.0, 4.0, 0.5, 3.0]),
    )
