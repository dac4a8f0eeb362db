"""Queries taken from an earlier run are those that would be drawn again, whatever was edited."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar import artifacts
from smar.data.stems import bag_of_stems
from smar.params import SynthesizeParams
from smar.synthetic.drawing import Drawer
from smar.synthetic.drawn import WRITTEN, Drawn, number_of
from smar.synthetic.kept import Earlier, keeping
from smar.synthetic.leakage import Numbered
from smar.synthetic.synthesize import COLUMNS, Synthesis
from smar.verified import tell_hashed

WORDS = ["red", "blue", "green", "boot", "bag", "sofa", "wool", "silk", "round", "long"]
SETTINGS = SynthesizeParams(ratio=100, max_per_item=12, max_tokens=3, validation_frac=0.1)
SEED = 7


def catalogue(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    ids = [f"i{number}" for number in rng.permutation(10 * rows)[:rows]]
    return pd.DataFrame({"item_id": ids} | {c: texts(rng, rows) for c in COLUMNS[1:]})


def texts(rng: np.random.Generator, rows: int) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(0, 5))) for _ in range(rows)]


def log(rng: np.random.Generator, held_out: list[str]) -> pd.DataFrame:
    rows = [(f"query {number}", "train") for number in range(40)]
    splits = rng.choice(["test", "validation", "trial", "apart"], len(held_out))
    rows += list(zip(held_out, splits, strict=True))
    return pd.DataFrame(rows, columns=["query", "split"])


class Recorded(Drawer):
    """Tells whose queries were drawn."""

    seen: list[str]

    def __call__(self, fields: Sequence[Sequence[str]]) -> Drawn:
        self.seen += [field[0] for field in fields]
        return super().__call__(fields)


def run(
    items: pd.DataFrame, queries: pd.DataFrame, folder: Path | None, settings: SynthesizeParams
) -> tuple[pa.Table, Synthesis, list[str]]:
    """Return pairs, what made them, and the items that were drawn anew."""
    made = Synthesis(queries, len(items), settings, SEED)
    drawn: list[str] = []
    drawer = made._drawer
    made._drawer = Recorded(drawer.held_out, drawer.per_item, settings, SEED)
    made._drawer.seen = drawn
    table = pa.Table.from_pandas(items[[*COLUMNS]], preserve_index=False)
    batches = table.to_batches(7)
    if folder is None:
        found = list(made.batches(batches))
    else:
        earlier = Earlier.open(folder, made.how, made.held_out)
        with keeping(folder, made.how, made.held_out) as keeper:
            found = list(made.batches(batches, earlier, keeper))
        assert keeper.bags.tolist() == [
            number_of(bag_of_stems(text), SEED)
            for batch in found
            for text in batch["query"].to_pylist()
        ]
    return pa.Table.from_batches(found, WRITTEN), made, drawn


def edited(items: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return items of which some are gone, changed, new, or elsewhere."""
    kept = items[rng.random(len(items)) > 0.2].copy()
    for column in COLUMNS[1:]:
        change = rng.random(len(kept)) < 0.1
        kept.loc[change, column] = texts(rng, int(change.sum()))
    new = catalogue(rng, 3).assign(item_id=["n1", "n2", "n3"])
    both = pd.concat([kept[~kept["item_id"].isin(new["item_id"])], new], ignore_index=True)
    return both.sample(frac=1, random_state=int(rng.integers(99))) if rng.random() < 0.5 else both


@pytest.mark.parametrize("seed", range(6))
def test_any_edits_give_what_a_first_run_gives(seed: int, tmp_path: Path):
    rng = np.random.default_rng(seed)
    items, held_out = catalogue(rng, 30), texts(rng, 12)
    for _ in range(4):
        queries = log(rng, held_out)
        found, made, drawn = run(items, queries, tmp_path / "kept", SETTINGS)
        expected, anew, everything = run(items, queries, None, SETTINGS)
        assert found.equals(expected)
        assert (made.dropped, made.kinds, made.splits) == (anew.dropped, anew.kinds, anew.splits)
        assert len(drawn) <= len(everything)
        items = edited(items, rng)
        held_out = [text for text in held_out if rng.random() > 0.1 * (seed % 3)]
        held_out += texts(rng, int(rng.integers(3)))


def test_only_what_changed_is_drawn_again(tmp_path: Path):
    rng = np.random.default_rng(1)
    items, queries = catalogue(rng, 30), log(rng, ["nothing like it"])
    assert len(run(items, queries, tmp_path / "kept", SETTINGS)[2]) == 30
    assert run(items, queries, tmp_path / "kept", SETTINGS)[2] == []
    items.loc[4, "title"] += " new"
    changed = [items["item_id"][4]]
    assert run(items, queries, tmp_path / "kept", SETTINGS)[2] == changed
    pairs, *_ = run(items, queries, None, SETTINGS)
    text = pairs["query"][0].as_py()  # is held out from now on: only items that have it are drawn
    having = pairs.filter(pa.compute.equal(pairs["query"], text))["item_id"].unique().to_pylist()
    more = log(rng, ["nothing like it", text])
    found = run(items, more, tmp_path / "kept", SETTINGS)
    assert set(having) <= set(found[2]) != set(items["item_id"])
    assert text not in found[0]["query"].to_pylist()


def test_other_settings_and_damaged_files_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    rng = np.random.default_rng(2)
    items, queries = catalogue(rng, 20), log(rng, ["x"])
    run(items, queries, tmp_path / "kept", SETTINGS)
    longer = SETTINGS.model_copy(update={"max_tokens": 2})
    assert len(run(items, queries, tmp_path / "kept", longer)[2]) == 20
    file = tmp_path / "kept" / "pairs.arrow"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found, _, drawn = run(items, queries, tmp_path / "kept", longer)
    assert len(drawn) == 20
    assert "all queries are drawn again" in caplog.text
    assert found.equals(run(items, queries, None, longer)[0])


@pytest.mark.parametrize(
    ("pairs", "held_out", "may_leak"),
    [
        ([("red boot", "train"), ("silk tie", "validation")], "blue hat", False),
        ([("red boot", "train"), ("silk tie", "validation")], "boots red", True),
        ([("red boot", "train"), ("boot red", "validation")], "blue hat", True),
        ([], "blue hat", False),
    ],
)
def test_numbers_tell_what_cannot_leak(pairs: list[tuple[str, str]], held_out: str, may_leak: bool):
    number = partial(number_of, seed=SEED)
    bags = np.array([number(bag_of_stems(text)) for text, _ in pairs], np.uint64)
    columns = [pa.array([row[place] for row in pairs], pa.string()) for place in range(2)]
    batches = pa.table(columns, names=["query", "split"]).to_batches(1)
    apart = np.array([number(bag_of_stems(held_out))], np.uint64)
    assert Numbered(apart, bags, number).may_leak(lambda: batches) is may_leak
    if pairs:  # numbers of other pairs, or too few, prove nothing
        assert Numbered(apart, bags[::-1].copy(), number).may_leak(lambda: batches)
        assert Numbered(apart, bags[:1], number).may_leak(lambda: batches)


def test_kept_files_are_hashed_unless_nobody_wrote_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    rng = np.random.default_rng(2)
    items, queries, folder = catalogue(rng, 20), log(rng, ["nothing like it"]), tmp_path / "kept"
    expected, made, _ = run(items, queries, folder, SETTINGS)
    files = [folder / name for name in ("pairs.arrow", "items.npy", "held_out.npy")]
    for file in files:
        os.utime(file, (1, 1))
    tell_hashed(folder / "hashed.json", files)
    hashed: list[str] = []
    digest = artifacts.digest
    monkeypatch.setattr(artifacts, "digest", lambda p: (hashed.append(p.name), digest(p))[1])
    assert Earlier.open(folder, made.how, made.held_out) is not None
    assert hashed == []
    content = bytearray(files[0].read_bytes())
    content[len(content) // 2] ^= 1
    files[0].write_bytes(content)  # whatever it does to the text, its time tells it
    assert Earlier.open(folder, made.how, made.held_out) is None
    assert "all queries are drawn again" in caplog.text
    found, _, drawn = run(items, queries, folder, SETTINGS)
    assert found.equals(expected)
    assert len(drawn) == 20
