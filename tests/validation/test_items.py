"""Items with the columns that their rules need, found once for each file."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.validation import items
from smar.validation.kept_facts import KeptFacts

from .conftest import Shop


def test_items_of_the_same_file_are_not_compared_again(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compared: list[int] = []
    promises, factorize = items.promises, pd.factorize
    monkeypatch.setattr(
        items, "promises", lambda *told: (compared.append(len(told[0])), promises(*told))[1]
    )
    whole = shop.tables["items"]
    twice = pa.concat_tables([whole, whole.slice(3, 2)]).combine_chunks()
    for table, left_out, is_new in (
        (whole, [], True), (whole, [], False), (whole, [5], False), (twice, [], True),
        (twice, [3], False), (twice, [], False), (whole, [], True),
    ):  # fmt: skip
        frame = items.prepare(table, shop.facts)
        accepted = np.ones(len(table), bool)
        accepted[left_out] = False
        told = items.figures(frame, accepted)
        compared.clear()
        file = sha256(repr(table.to_pylist()).encode()).hexdigest()
        kept = KeptFacts(tmp_path, {"items": file})
        pd.testing.assert_frame_equal(items.prepare(table, shop.facts, kept), frame)
        assert bool(compared) == is_new
        with monkeypatch.context() as patch:
            if not is_new and not left_out:  # titles are not looked at
                patch.setattr(pd, "factorize", lambda _: pytest.fail("titles again"))
            pd.testing.assert_frame_equal(items.figures(frame, accepted, kept), told)
    assert pd.factorize is factorize


def test_copies_are_counted_among_the_accepted_items(shop: Shop):
    whole = shop.tables["items"]
    frame = items.prepare(pa.concat_tables([whole, whole.slice(0, 3)]), shop.facts)
    accepted = np.ones(len(frame), bool)
    of_all = items.figures(frame, accepted)["copies"].iloc[0]
    accepted[-2:] = False
    left = items.figures(frame, accepted)["copies"].iloc[0]
    assert of_all * len(frame) == pytest.approx(left * (len(frame) - 2) + 2)
