"""What scripts of engines read of an export."""

from itertools import chain, combinations

from smar.export.reading import conditions

QUERY = {"without": [{"words": [[1, 2], [3]], "unless": [4, 5]}, {"words": [[6]], "unless": []}]}


def test_conditions_say_which_items_are_left_out():
    def has(words: list[int]) -> str:
        return f"not {set(words)}.isdisjoint(has_ids)"  # Python writes "and" and "not" as well

    first, second = conditions(QUERY, has)
    numbers = range(1, 7)
    for some in chain.from_iterable(combinations(numbers, size) for size in range(7)):
        item = {"has_ids": set(some)}
        has_both = bool({1, 2} & item["has_ids"]) and 3 in some
        assert eval(first, item) == (has_both and not {4, 5} & item["has_ids"])  # noqa: S307 - ours
        assert eval(second, item) == (6 in some)  # noqa: S307 - ours
    assert conditions({"without": []}, has) == []
