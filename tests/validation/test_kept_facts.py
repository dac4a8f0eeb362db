"""Facts of rows that an earlier run found: those of all rows, whatever came, went or changed."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from smar.data import schema
from smar.data.arrow_content import content_of
from smar.data.membership import places_of
from smar.validation import engagements, kept_facts, previous, queries, searches
from smar.validation.kept_facts import KeptFacts

DAY = 86_400_000_000
Tables = dict[str, pa.Table]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_facts, "_BLOCK", 8)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts queries look up, each time."""
    found: list[int] = []

    def spy(texts: pa.Array, among: pa.Array) -> np.ndarray:
        found.append(len(texts))
        return places_of(texts, among)

    monkeypatch.setattr(queries, "places_of", spy)
    return found


def some_day(rng: np.random.Generator, day: int, rows: int = 12) -> Tables:
    """Return searches and engagements of one day, with ids, clients and times that meet others."""
    ids = [f"s{rng.integers(60)}" for _ in range(rows)]
    times = [None if rng.random() < 0.1 else int(day * DAY + rng.integers(4)) for _ in range(rows)]
    lists = [[f"i{n}" for n in rng.integers(9, size=rng.integers(4))] for _ in range(rows)]
    found = {
        "search_id": ids,
        "query_id": [f"q{rng.integers(5)}" for _ in range(rows)],
        "client_id": [f"c{rng.integers(3)}" if rng.random() < 0.8 else "" for _ in range(rows)],
        "timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
        "shown": pa.array(lists, pa.list_(pa.string())),
    }
    named = [f"s{rng.integers(70)}" for _ in range(2 * rows)]
    clicked = {
        "search_id": named,
        "query_id": [f"q{rng.integers(5)}" for _ in named],
        "item_id": [f"i{rng.integers(10)}" if rng.random() < 0.95 else "" for _ in named],
        "action": [str(rng.choice(["click", "purchase"])) for _ in named],
        "position": [None if rng.random() < 0.2 else int(rng.integers(5)) for _ in named],
        "timestamp": pa.array(
            [None if rng.random() < 0.1 else int(day * DAY + rng.integers(3)) for _ in named],
            pa.timestamp("us", tz="UTC"),
        ),
    }
    return {
        "searches": pa.table(found, schema=schema.SEARCHES),
        "engagements": pa.table(clicked, schema=schema.ENGAGEMENTS),
    }


def joined(days: list[Tables]) -> Tables:
    names = ("searches", "engagements")
    return {name: pa.concat_tables([day[name] for day in days]).combine_chunks() for name in names}


def frames(tables: Tables, accepted: np.ndarray, items: list[str], kept: KeptFacts | None):
    """Return what rules are put to."""
    asked = tables["searches"]["query_id"].to_pandas().isin([f"q{n}" for n in range(4)])
    known = pd.Series(items, dtype="str")
    return [
        searches.prepare(tables["searches"], asked.to_numpy(bool), kept),
        engagements.prepare(tables["engagements"], tables["searches"], accepted, known, kept),
    ]


def files_of(tables: Tables) -> dict[str, str]:
    """Return what stands for the files that tables were read from."""
    return {name: sha256(repr(table.to_pylist()).encode()).hexdigest()
            for name, table in tables.items()}  # fmt: skip


def are_those_of_all(
    folder: Path,
    tables: Tables,
    accepted: np.ndarray,
    items: list[str],
    files: Mapping[str, str] = MappingProxyType({}),
) -> list[pd.DataFrame]:
    found = frames(tables, accepted, items, KeptFacts(folder, files))
    for own, whole in zip(found, frames(tables, accepted, items, None), strict=True):
        pd.testing.assert_frame_equal(own, whole, check_like=True)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_whatever_came_went_or_changed_facts_are_those_of_all_rows(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    days, items = [some_day(rng, day) for day in range(3)], [f"i{n}" for n in range(8)]
    for step in range(12):
        change = rng.integers(8)
        if change <= 1:
            days.append(some_day(rng, int(rng.integers(2, 5)), int(rng.integers(0, 14))))
        elif change == 2 and len(days) > 1:
            days.pop(int(rng.integers(len(days))))
        elif change == 3:
            days = [days[at] for at in rng.permutation(len(days))]
        elif change == 4:  # rows go from the middle
            at = int(rng.integers(len(days)))
            days[at] = {
                name: table.filter(pa.array(rng.random(len(table)) < 0.8))
                for name, table in days[at].items()
            }
        elif change == 5:
            items = [f"i{n}" for n in range(int(rng.integers(5, 10)))]
        elif change == 6:
            days[-1] = some_day(rng, 2)
        tables = joined(days)
        accepted = rng.random(len(tables["searches"])) < (0.9 if step % 3 else 1)
        if rng.random() < 0.5:  # of the same rows the same
            accepted = np.arange(len(tables["searches"])) % 7 != 3
        files = files_of(tables) if seed % 2 else {}
        are_those_of_all(tmp_path / "kept", tables, accepted, items, files)
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_only_new_rows_and_those_that_they_meet_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[int] = []
    for module in (searches, engagements):
        facts: Callable[..., pa.Table] = module._facts

        def spy(table: pa.Table, *more: object, facts: Callable[..., pa.Table] = facts) -> pa.Table:
            seen.append(len(table))
            return facts(table, *more)

        monkeypatch.setattr(module, "_facts", spy)
    rng = np.random.default_rng(3)
    many, items = [some_day(rng, day, 200) for day in range(4)], ["i1", "i2"]
    for day, tables in enumerate(many):  # ids and clients of their own
        for name, table in tables.items():
            for column in {"search_id", "client_id"} & set(table.column_names):
                place = table.column_names.index(column)
                texts = [f"{text}-{day}" for text in table[column].to_pylist()]
                tables[name] = tables[name].set_column(
                    place, tables[name].schema.field(column), pa.array(texts)
                )
    for days, own, expected in (
        (3, False, [600, 1200]),
        (3, False, [0]),
        (4, False, [200, 400]),
        (4, True, [0]),
    ):
        seen.clear()
        tables = joined(many[:days])
        ids = pa.concat_arrays(tables["searches"]["search_id"].chunks)
        known = pc.is_in(tables["engagements"]["search_id"], value_set=ids).to_numpy()
        accepted = np.ones(len(tables["searches"]), bool)
        frames(tables, accepted, items[: 1 + own], KeptFacts(tmp_path / "kept"))
        if expected[0] != 600:  # an engagement without a search is looked at each time
            expected[-1] += int((~known[:1200] if expected[0] else ~known).sum())
        assert seen == expected


def test_rows_of_the_same_files_are_not_compared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compared: list[int] = []

    def spy(values: pa.Array) -> Iterator[bytes | memoryview]:
        compared.append(len(values))
        return content_of(values)

    monkeypatch.setattr(kept_facts, "content_of", spy)
    rng = np.random.default_rng(6)
    days, items = [some_day(rng, day, 40) for day in range(3)], ["i1", "i2"]
    for count, of_them in ((2, {8}), (2, set()), (3, {8}), (3, set())):
        compared.clear()
        tables = joined(days[:count])
        accepted = np.ones(len(tables["searches"]), bool)
        are_those_of_all(tmp_path / "kept", tables, accepted, items, files_of(tables))
        assert set(compared) == of_them
    tables["searches"] = tables["searches"].slice(1)
    are_those_of_all(tmp_path / "kept", tables, accepted[1:], items, files_of(tables))
    assert 8 in compared


def test_queries_and_searches_of_the_same_files_are_not_looked_at_again(
    tmp_path: Path, asked: list[int]
):
    rng = np.random.default_rng(7)
    words = ["red boot", "boots red", "Sofa", "sofa", "", "red boot", "big lamp"]
    table = pa.table(
        {
            "query_id": ["q0", "q1", "q2", "q3", "q4", "q0", "q6"],
            "query": words,
            "split": ["train", "test", "validation", "train", "apart", "train", "trial"],
            "num_searches": [3, 0, 1, 2, 0, 1, 0],
        },
        schema=schema.QUERIES,
    )
    for day, is_new in ((1, True), (1, False), (2, True), (2, False)):
        tables = joined([some_day(rng, 0), some_day(np.random.default_rng(day), day)])
        tables = {"queries": table, "searches": tables["searches"]}
        rng = np.random.default_rng(7)
        asked.clear()
        kept = KeptFacts(tmp_path / "kept", files_of(tables))
        searched = queries.SearchQueries.of(table, tables["searches"], kept)
        frame = queries.prepare(table, searched, kept)
        assert bool(asked) == is_new
        whole = queries.SearchQueries.of(table, tables["searches"])
        are_those_of(searched, whole)
        assert {rows.dtype for rows in searched} == {np.dtype(np.int64)}
        pd.testing.assert_frame_equal(frame, queries.prepare(table, whole))
    for file in (tmp_path / "kept").glob("*quer*.arrow"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    asked.clear()
    kept = KeptFacts(tmp_path / "kept", files_of(tables))
    again = queries.prepare(table, queries.SearchQueries.of(table, tables["searches"], kept), kept)
    pd.testing.assert_frame_equal(frame, again)
    assert asked


def are_those_of(found: queries.SearchQueries, whole: queries.SearchQueries) -> None:
    assert np.array_equal(found.rows, whole.rows)
    assert np.array_equal(found.first, whole.first)


def test_queries_and_searches_that_stand_say_what_they_said_wherever_they_are_now(
    tmp_path: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
):
    rng, folder, few, stemmed = np.random.default_rng(8), tmp_path / "kept", 0, list[str]()
    bag = queries.bag_of_stems
    monkeypatch.setattr(queries, "bag_of_stems", lambda text: (stemmed.append(text), bag(text))[1])
    days, before = [some_day(rng, day, 16) for day in range(4)], set[tuple[str, str]]()
    for count in (2, 3, 3, 4, 2, 4, 1, 3, 4, 4, 3, 4, 4):
        # Some come, some go, some are elsewhere or say something else, and one id has two rows.
        ids = rng.permutation(["q0", "q1", "q2", "q3", "q4", "q5", "q1"])[: rng.integers(3, 8)]
        texts = [f"{rng.choice(['boots', 'Boot  red'])} {name}" for name in ids]
        splits = rng.choice(["train", "test", "validation", "trial", "apart"], len(ids))
        filled = {"query": texts, "split": splits, "num_searches": np.zeros(len(ids), np.int64)}
        table = pa.table({"query_id": ids, **filled}, schema=schema.QUERIES)
        tables = {"queries": table, "searches": joined(days[:count])["searches"]}
        whole = queries.SearchQueries.of(table, tables["searches"])
        expected = queries.prepare(table, whole)
        asked.clear()
        stemmed.clear()
        kept = KeptFacts(folder, files_of(tables))
        found = queries.SearchQueries.of(table, tables["searches"], kept)
        are_those_of(found, whole)
        pd.testing.assert_frame_equal(queries.prepare(table, found, kept), expected)
        firsts = dict(zip(ids[::-1], texts[::-1], strict=True))
        new = [text for name, text in zip(ids, texts, strict=True) if (name, text) not in before]
        assert stemmed == new
        before = set(firsts.items())
        few += len(before) > 0 and min(asked) < 16 * count
        if rng.random() < 0.3:
            next(folder.glob("searched-*")).unlink()  # of a run that was killed in between
            before = set()
    assert few > 3


def numbers(table: pa.Table) -> list[bytes]:
    return [b"".join(content_of(pa.concat_arrays(c.chunks))) for c in table.columns]


def test_content_is_the_same_wherever_it_lies_and_another_where_a_value_is():
    rng = np.random.default_rng(2)
    for table in some_day(rng, 3, 40).values():
        part = table.slice(11, 9)
        assert numbers(part.combine_chunks()) == numbers(part.take(pa.array(range(9))))
        for place, column in enumerate(table.column_names):
            values = part[column].to_pylist()
            values[3] = [*values[3], "x"] if column == "shown" else None
            field = table.schema.field(column).with_nullable(True)
            other = part.set_column(place, field, pa.array(values, field.type))
            is_same = [a == b for a, b in zip(numbers(other), numbers(part), strict=True)]
            was_null = values == part[column].to_pylist()
            assert is_same == [at != place or was_null for at in range(len(is_same))]


@pytest.mark.parametrize("name", ["searches", "engagements", "item_ids"])
def test_what_is_damaged_or_half_written_is_found_again(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
):
    rng = np.random.default_rng(5)
    tables, folder = joined([some_day(rng, day) for day in range(3)]), tmp_path / "kept"
    accepted, items = np.ones(len(tables["searches"]), bool), ["i1", "i2"]
    ids = pd.Series(["a", "b"], dtype="str")

    def run() -> None:
        are_those_of_all(folder, tables, accepted, items)
        assert previous._sketch(ids, KeptFacts(folder)) == previous._sketch(ids, KeptFacts())

    run()
    (file,) = folder.glob(f"{name}-*.arrow")
    whole = file.read_bytes()
    half = file.with_name(f".{file.name}.tmp-1")  # of a run that was killed
    for content in (whole[:150] + b"?" + whole[151:], whole[: len(whole) // 2], b""):
        file.write_bytes(content)
        half.write_bytes(content)
        caplog.clear()
        run()
        assert file.name in caplog.text
        assert file.read_bytes() == whole
        assert not half.exists()


@pytest.mark.parametrize("module", ["searches", "engagements", "previous"])
def test_other_code_finds_facts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str):
    rng = np.random.default_rng(5)
    tables, folder = joined([some_day(rng, day) for day in range(3)]), tmp_path / "kept"
    accepted = np.ones(len(tables["searches"]), bool)
    frames(tables, accepted, ["i1"], KeptFacts(folder))
    names = {file.name for file in folder.iterdir()}
    monkeypatch.setattr(kept_facts, "code_key", lambda *_, **__: f"{module} edited, another key")
    are_those_of_all(folder, tables, accepted, ["i1"])
    assert len(list(folder.iterdir())) == 2
    assert not names & {file.name for file in folder.iterdir()}


def test_ids_are_hashed_once_as_long_as_those_before_them_stay(tmp_path: Path):
    ids = pd.Series([f"p{number}" for number in range(3000)], dtype="str")
    for now in (ids, ids[:2999], pd.concat([ids, ids[:20] + "x"]), ids[7:], ids[::-1], ids[:0]):
        assert previous._sketch(now, KeptFacts(tmp_path)) == previous._sketch(now, KeptFacts())


@pytest.mark.parametrize("seed", range(4))
def test_items_shown_are_known_as_if_nothing_were_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    monkeypatch.setattr(searches, "_SAMPLE", 16)
    rng = np.random.default_rng(seed)
    asked = list[int]()
    is_among = searches.is_among
    monkeypatch.setattr(
        searches, "is_among", lambda texts, ids: (asked.append(len(texts)), is_among(texts, ids))[1]
    )
    days, items = [some_day(rng, 0)], ["i1", "i2", "i5"]
    for day in range(1, 9):
        days = [*days, some_day(rng, day)] if rng.random() < 0.7 else days[1:] or days
        if rng.random() < 0.2:
            items = [f"i{n}" for n in rng.choice(10, 4, replace=False)]
        tables = joined(days)
        table, kept = tables["searches"], np.ones(len(tables["searches"]), bool)
        frame = searches.prepare(table, kept)
        ids = pa.array(items, pa.string())
        asked.clear()
        whole = searches.figures(table, frame, kept, ids, None)
        facts = KeptFacts(tmp_path, files_of(tables))
        found = searches.figures(table, frame, kept, ids, None, facts)
        assert found.equals(whole)
        assert asked[1] <= asked[0]
        again = searches.figures(
            table, frame, kept, ids, None, KeptFacts(tmp_path, files_of(tables))
        )
        assert again.equals(whole)
        assert asked[2] == 0
