"""The files of a word index: what is read is what was written, and `bm25s` reads it too."""

import math
import os
import subprocess
import sys
from pathlib import Path

import bm25s
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smar.errors import ArtifactError
from smar.index import word_files
from smar.index.picture_words import PictureWord
from smar.index.word_files import load_words, write_words
from smar.index.words import WordIndex

TEXTS = ["red boot", "blue boot boot", "green sandal for women"]


def test_stemmer_is_kept_with_the_words(tmp_path: Path):
    write_words(WordIndex.build(["Schuhe"], stemmer="german"), tmp_path / "words")
    assert load_words(tmp_path / "words", 1).shares("schuh")[0] > 0


def test_words_reload_to_the_same_shares(tmp_path: Path):
    words = WordIndex.build(TEXTS)
    write_words(words, tmp_path / "words")
    again = load_words(tmp_path / "words", 3)
    assert (again.shares("red boots for women") == words.shares("red boots for women")).all()


def test_files_are_those_that_bm25s_writes(tmp_path: Path):
    words = WordIndex.build([*TEXTS, "café \N{SNOWMAN}", ""])
    write_words(words, tmp_path / "words")
    theirs = bm25s.BM25(method="lucene")
    parts = words.postings.starts, words.postings.rows, words.postings.weights
    names = ("indptr", "indices", "data")
    theirs.scores = dict(zip(names, parts, strict=True)) | {"num_docs": len(words)}
    assert "" in words.vocabulary  # of the text without a word
    theirs.vocab_dict = dict(words.vocabulary)
    theirs.nonoccurrence_array = None
    theirs.save(tmp_path / "theirs", show_progress=False)
    for file in (tmp_path / "theirs").iterdir():
        assert file.read_bytes() == (tmp_path / "words" / file.name).read_bytes(), file.name


def test_words_of_other_items_are_refused(tmp_path: Path):
    write_words(WordIndex.build(TEXTS), tmp_path / "words")
    with pytest.raises(ArtifactError, match="words of 3 items, expected 4"):
        load_words(tmp_path / "words", 4)


def test_missing_words_are_refused(tmp_path: Path):
    with pytest.raises(ArtifactError, match="the word index cannot be read"):
        load_words(tmp_path / "words", 3)


def test_same_texts_make_the_same_files_in_every_process(tmp_path: Path):
    code = "import sys; from pathlib import Path; from smar.index.words import WordIndex\n"
    code += "from smar.index.word_files import write_words\n"
    code += f"write_words(WordIndex.build({TEXTS!r}), Path(sys.argv[1]))"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    files = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert files
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_index_made_before_forms_were_written_down_is_read_as_english(tmp_path: Path):
    write_words(WordIndex.build(["red boots", "a sofa"]), tmp_path)
    (tmp_path / "forms.json").unlink()
    shares = load_words(tmp_path, 2).shares("boot")
    assert shares[0] > shares[1] == 0


def test_words_of_pictures_are_kept_and_not_told_twice(tmp_path: Path):
    words = WordIndex.build(TEXTS)
    rows, weights = np.array([2], np.int32), np.array([0.25], np.float32)
    told = [PictureWord("red", rows, weights), PictureWord("teal", rows, weights)]
    more = words.with_pictured(told)
    write_words(more, tmp_path)
    again = load_words(tmp_path, 3)
    assert (again.shares("red boot") == more.shares("red boot")).all()
    assert again.pictured("red teal", np.array([2])) == [["red", "teal"]]
    assert again.of_texts().vocabulary == words.vocabulary
    assert again.idf()[0].tolist() == more.idf()[0].tolist()
    assert (again.with_pictured(told).shares("red") == more.shares("red")).all()


def test_shares_are_those_of_bm25s(tmp_path: Path):
    rng = np.random.default_rng(0)
    vocabulary = [f"{one}{two}" for one in "abcdefgh" for two in "ijklmnop"]
    texts = [" ".join(rng.choice(vocabulary, 6)) for _ in range(400)]
    words = WordIndex.build(texts, stemmer="none")
    write_words(words, tmp_path)
    theirs = bm25s.BM25.load(tmp_path)
    for _ in range(30):
        query = list(rng.choice(vocabulary, 4))
        idf = sum(math.log(1 + (400 - n + 0.5) / (n + 0.5)) for n in [
            sum(word in text.split() for text in texts) for word in query
        ])  # fmt: skip
        expected = theirs.get_scores(query) / idf
        assert np.allclose(words.shares(" ".join(query)), expected, rtol=1e-6)


@given(
    words=st.dictionaries(
        st.text(max_size=6) | st.sampled_from(["5,", ",", '1,"', "{", "}", "\\", "7,7,", ""]),
        st.integers(0, 2**40),
        max_size=40,
    ),
    piece=st.integers(1, 60),
)
def test_words_that_are_read_in_pieces_are_those_that_were_written(
    words: dict[str, int], piece: int
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_files, "_PIECE", piece)
        found = word_files._read_numbers(orjson.dumps(words))
    assert found == words
    assert list(found) == list(words)


@pytest.mark.parametrize("content", [b"", b"{", b'{"a":1', b'{"a":1,"b":', b"3", b'{"a":1}}'])
@pytest.mark.parametrize("piece", [1, 100])
def test_words_that_are_cut_off_are_refused(
    content: bytes, piece: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(word_files, "_PIECE", piece)
    with pytest.raises((ValueError, TypeError)):
        word_files._read_numbers(content)
