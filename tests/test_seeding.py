"""Named streams of random numbers."""

from collections.abc import Iterator

import pytest
import torch

from smar.seeding import generator, seed_torch


@pytest.fixture
def _torch_as_before() -> Iterator[None]:
    """Put torch's global settings back: other tests of this process must not see them."""
    state = torch.get_rng_state()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_rng_state(state)


def test_streams_repeat_and_differ_by_name_and_seed():
    first = generator(1, "a", 2).random(3).tolist()
    assert first == generator(1, "a", 2).random(3).tolist()
    assert first != generator(1, "a", 3).random(3).tolist()
    assert first != generator(2, "a", 2).random(3).tolist()


def test_numbers_of_a_stream_are_the_same_on_every_machine():
    assert generator(7, "train", 0).integers(0, 2**31, 3).tolist() == [
        907107823,
        694225974,
        429602777,
    ]


@pytest.mark.usefixtures("_torch_as_before")
def test_torch_repeats_after_the_same_seed_and_is_deterministic():
    seed_torch(3)
    first = torch.rand(4)
    assert torch.are_deterministic_algorithms_enabled()
    seed_torch(3)
    assert torch.equal(torch.rand(4), first)
    seed_torch(4)
    assert not torch.equal(torch.rand(4), first)
