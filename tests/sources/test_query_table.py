"""The query table, as it is made at once, and of what an earlier run made of the same texts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smar.data import schema
from smar.params import IngestParams, Params
from smar.sources import query_table as module
from smar.sources.query_table import query_table, searched_texts
from smar.sources.split import query_id_of, split_judged, split_logged

WORDS = ("red", "boot", "boots", "Ärmel", "sofa", "\U0001f45f", "usb", "\uff21", "c")
JUDGED = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "query": ["boots red", "usb c", "lamp"]})


@pytest.fixture
def params() -> IngestParams:
    return Params().ingest.model_copy(update={"validation_frac": 0.3})


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what grows by every text whose split is made."""
    seen: list[str] = []
    split = module.split_logged

    def spy(texts: list[str], *args: object) -> dict[str, str]:
        seen.extend(texts)
        return split(texts, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "split_logged", spy)
    return seen


def searches(seed: int, size: int = 80) -> pd.Series:
    rng = np.random.default_rng(seed)
    drawn = [" ".join(rng.choice(WORDS, rng.integers(1, 3))) for _ in range(size)]
    return pd.Series(drawn, dtype="str")


def slow(searched: pd.Series, judged: pd.DataFrame, params: IngestParams, seed: int):
    """Return the table text by text."""
    counts = {text: list(searched).count(text) for text in sorted(set(searched))}
    held = split_judged(judged["query"], params.judgements.test_frac, seed)
    split = split_logged(counts, params.validation_frac, seed, held)
    rows = [(query_id_of(text), text, split[text], n) for text, n in counts.items()]
    rows += [(i, q, held[q], counts.get(q, 0)) for i, q in judged.itertuples(index=False)]
    return pd.DataFrame(rows, columns=schema.QUERIES.names)


def written(folder: Path, table: pa.Table) -> bytes:
    schema.write_arrow(folder / "table.parquet", table)
    return (folder / "table.parquet").read_bytes()


@pytest.mark.parametrize("judged", [JUDGED, JUDGED[:0]], ids=["judged", "none judged"])
@pytest.mark.parametrize("size", [0, 1, 80])
def test_each_text_has_its_id_its_split_and_its_searches(
    tmp_path: Path, params: IngestParams, judged: pd.DataFrame, size: int
):
    expected = slow(searches(1, size), judged, params, 7)
    for kept in (None, tmp_path / "kept", tmp_path / "kept"):
        found = query_table(searched_texts(searches(1, size)), judged, params, 7, kept)
        assert found.to_pandas().astype(object).values.tolist() == expected.values.tolist()


def test_only_new_texts_are_looked_at_and_the_bytes_are_those_of_all(
    tmp_path: Path, params: IngestParams, looked_at: list[str]
):
    kept, before = tmp_path / "kept", set()
    for name, searched in {
        "first": searches(1, 30),
        "a day came": pd.concat([searches(1, 30), searches(2, 9)], ignore_index=True),
        "another order": searches(1, 30)[::-1],
        "a day went": searches(1, 30)[11:],
        "other ones": searches(3, 30),
        "none": searches(1, 0),
        "all anew": searches(1, 30),
    }.items():
        looked_at.clear()
        found = written(tmp_path, query_table(searched_texts(searched), JUDGED, params, 7, kept))
        assert sorted(looked_at) == sorted(set(searched) - before), name
        whole = query_table(searched_texts(searched), JUDGED, params, 7)
        assert found == written(tmp_path, whole), name
        before = set(searched)
    assert len(list(kept.iterdir())) == 1


def test_another_seed_share_or_judged_text_splits_all_anew(
    tmp_path: Path, params: IngestParams, looked_at: list[str]
):
    kept = tmp_path / "kept"
    changes = [
        (JUDGED, params, 7),
        (JUDGED, params, 8),
        (JUDGED[1:], params, 8),
        (JUDGED[1:], params.model_copy(update={"validation_frac": 0.6}), 8),
    ]
    for judged, told, seed in changes:
        looked_at.clear()
        found = query_table(searched_texts(searches(1)), judged, told, seed, kept)
        assert set(looked_at) == set(searches(1))
        expected = slow(searches(1), judged, told, seed)
        assert found.to_pandas().astype(object).values.tolist() == expected.values.tolist()


def test_what_is_damaged_or_half_written_is_made_anew(
    tmp_path: Path, params: IngestParams, looked_at: list[str], caplog: pytest.LogCaptureFixture
):
    kept = tmp_path / "kept"
    expected = written(tmp_path, query_table(searched_texts(searches(1)), JUDGED, params, 7, kept))
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    half = file.with_name(f".{file.name}.tmp-1")  # of a run that was killed
    for content in (whole[: len(whole) // 2], whole[:200] + b"?" + whole[201:], b""):
        file.write_bytes(content)
        half.write_bytes(whole[:100])
        looked_at.clear()
        caplog.clear()
        found = written(tmp_path, query_table(searched_texts(searches(1)), JUDGED, params, 7, kept))
        assert found == expected
        assert set(looked_at) == set(searches(1))
        assert [record.message for record in caplog.records if "anew" in record.message]
        assert file.read_bytes() == whole
        assert not half.exists()
