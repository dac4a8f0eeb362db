"""`smar encode`: a line for a line, as they come, and what is said of lines that are no query."""

import io
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smar.errors import DataError
from smar.export.source import Source
from smar.export.stream import encode_stream, opened
from smar.index.ann import gated_queries
from smar.index.spelling import Spelling
from smar.models.encode import encode_queries


def encode(source: Source, raw: bytes) -> list[dict]:
    sink = io.BytesIO()
    encode_stream(source, io.BytesIO(raw), sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_line_gives_what_a_search_would_use(tiny_source: Source):
    [first, second] = encode(tiny_source, b"Red  BOOT\nzzz")
    assert (first["query"], second["query"]) == ("red boot", "zzz")
    embeddings = encode_queries(tiny_source.model, ["red boot", "zzz"])
    gated = gated_queries(embeddings.vector, embeddings.gate)
    assert np.array(first["vector"], np.float32) == pytest.approx(gated[0], abs=1e-7)
    assert sum(first["shares"].values()) == pytest.approx(1)
    assert first["shares"]["words"] == 0.3
    assert set(first["words"]) == {"red", "boot"}
    columns = tiny_source.index.words.vocabulary
    assert first["word_ids"] == [columns[word] for word in first["words"]]
    assert second["words"] == {}


def test_scores_of_dense_and_sparse_are_those_of_the_index(tiny_source: Source):
    items = tiny_source.index.vectors.gathered(np.arange(24))
    words = tiny_source.index.words.item_weights().tocsr()
    for line in encode(tiny_source, b"red boot\nblue atlas no 3\nbort"):
        sparse = np.zeros(words.shape[1])
        sparse[line["word_ids"]] = line["word_weights"]
        scores = (1 - line["shares"]["words"]) * items @ np.array(line["vector"]) + words @ sparse
        embeddings = encode_queries(tiny_source.model, [line["query"]])
        found, rows = tiny_source.index.search([line["query"]], embeddings, 24)
        assert scores[rows[0]] == pytest.approx(found[0], abs=1e-6)


def test_misspelled_line_is_that_of_what_is_meant(tiny_source: Source):
    words = tiny_source.index.words
    spelling = Spelling({"boot": 1, "red": 1}, words)
    reading = replace(tiny_source, index=replace(tiny_source.index, spelling=spelling))
    [slip, right] = encode(reading, b"Red boto\nred boot")
    assert (slip.pop("query"), slip.pop("corrected")) == ("red boto", "red boot")
    assert (right.pop("query"), right.pop("corrected")) == ("red boot", "")
    assert slip == right
    [as_typed] = encode(tiny_source, b"red boto")
    assert as_typed["words"].keys() == {"red"}


def test_line_that_denies_a_word_is_of_the_rest_and_says_what_is_left_out(tiny_source: Source):
    [denied, rest] = encode(tiny_source, b"boot not red\nboot")
    columns = tiny_source.index.words.vocabulary
    assert (denied["query"], denied["searched"], denied["corrected"]) == (
        "boot not red",
        "boot",
        "",
    )
    assert denied["left_out"] == ["red"]
    assert denied["without"] == [{"words": [[columns["red"]]], "unless": []}]
    assert (rest["searched"], rest["left_out"], rest["without"]) == ("boot", [], [])
    assert (denied["vector"], denied["words"]) == (rest["vector"], rest["words"])
    off = replace(tiny_source, index=replace(tiny_source.index, negation=False))
    [as_typed] = encode(off, b"boot not red")
    assert (as_typed["searched"], as_typed["without"]) == ("boot not red", [])


def test_bad_lines_keep_their_place_and_are_counted(tiny_source: Source):
    sink = io.BytesIO()
    with pytest.raises(DataError, match=r"3 of 5 lines were not encoded \(line 2: has no text\)"):
        encode_stream(tiny_source, io.BytesIO(b"a\n \nb\xff\n" + b"c" * 10_001 + b"\nd\n"), sink)
    lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [line.get("error", "") for line in lines] == [
        "", "has no text", "is not UTF-8 (invalid start byte at byte 1)",
        "has 10001 characters, expected at most 10000", "",
    ]  # fmt: skip


def test_a_query_is_answered_before_the_next_one_comes(tiny_source: Source):
    (queries_end, queries), (answers, answers_end) = os.pipe(), os.pipe()
    with (
        os.fdopen(queries_end, "rb") as source,
        os.fdopen(answers_end, "wb") as sink,
        os.fdopen(answers, "rb") as read,
        os.fdopen(queries, "wb", buffering=0) as write,
    ):
        worker = threading.Thread(target=encode_stream, args=(tiny_source, source, sink))
        worker.start()
        for query in (b"boot\n", b"red sandal\n"):
            write.write(query)
            assert json.loads(read.readline())["query"].encode() == query.strip()
        write.close()
        worker.join(10)
        assert not worker.is_alive()


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.txt: no such file"), opened(f"{tmp_path}/none.txt"):
        pass
