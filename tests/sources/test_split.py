"""The splits of logged and judged queries."""

import pytest

from smar.data.schema import normalize_query
from smar.data.stems import bag_of_stems
from smar.sources.split import query_id_of, split_judged, split_logged

TEXTS = [f"query {number}" for number in range(2000)]


def test_split_share_is_as_asked_for():
    held_out = list(split_logged(TEXTS, 0.1, 7, {}).values()).count("validation")
    assert held_out == pytest.approx(200, abs=50)
    test = list(split_judged(TEXTS, 0.3, 7).values()).count("test")
    assert test == pytest.approx(600, abs=80)
    assert set(split_judged(TEXTS, 0.0, 7).values()) == {"trial"}
    assert set(split_judged(TEXTS, 1.0, 7).values()) == {"test"}


def test_split_of_a_text_does_not_depend_on_the_others():
    whole = split_logged(TEXTS, 0.1, 7, {})
    assert split_logged(TEXTS[:5], 0.1, 7, {}) == {t: whole[t] for t in TEXTS[:5]}
    assert whole != split_logged(TEXTS, 0.1, 8, {})


def test_texts_of_one_bag_go_together():
    turned = [" ".join(reversed(text.split())) for text in TEXTS]
    plural = [f"queries {number}" for number in range(2000)]
    split = split_logged([*TEXTS, *turned, *plural], 0.3, 7, {})
    for one, *others in zip(TEXTS, turned, plural, strict=True):
        assert {split[other] for other in others} == {split[one]}
    judged = split_judged([*TEXTS, *turned], 0.5, 7)
    assert all(judged[a] == judged[b] for a, b in zip(TEXTS, turned, strict=True))


def test_what_has_the_stems_of_a_test_query_is_neither_trained_on_nor_chosen_by():
    judged = {"boot red": "test", "bag": "trial"}
    split = split_logged(["red boots", "bags", "bag", "hat"], 0.0, 7, judged)
    assert split == {"red boots": "apart", "bags": "train", "bag": "train", "hat": "train"}
    held_out = split_logged(TEXTS, 0.9, 7, dict.fromkeys(TEXTS, "trial"))
    assert set(held_out.values()) == {"train"}


def test_splits_of_a_log_share_no_bag():
    texts = [f"{a} {b}" for a in ("red", "blue", "boots", "bag") for b in ("boot", "bags", "red")]
    split = split_logged(texts * 2, 0.5, 3, split_judged(texts[:4], 0.5, 3))
    bags = {
        name: {bag_of_stems(text) for text in texts if split[text] == name}
        for name in ("train", "validation", "apart")
    }
    assert not bags["train"] & bags["validation"]
    assert not bags["apart"] & (bags["train"] | bags["validation"])
    assert all(bags.values())


def test_query_ids_follow_the_normalised_text():
    assert query_id_of(normalize_query(" Red\u00a0 BOOT")) == query_id_of("red boot")
    assert query_id_of("a") != query_id_of("b")
