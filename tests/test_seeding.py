"""Named streams of random numbers."""

from smar.seeding import generator


def test_streams_repeat_and_differ_by_name_and_seed():
    first = generator(1, "a", 2).random(3).tolist()
    assert first == generator(1, "a", 2).random(3).tolist()
    assert first != generator(1, "a", 3).random(3).tolist()
    assert first != generator(2, "a", 2).random(3).tolist()
