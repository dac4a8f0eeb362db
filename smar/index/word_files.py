"""The files of a word index: those of `bm25s`, its form of words, what pictures and clicks tell."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from smar.artifacts import write_json
from smar.errors import ArtifactError
from smar.index.item_words import K1, B
from smar.index.postings import Postings
from smar.index.words import WordIndex

_FORMS = "forms.json"
_PICTURED, _CLICKED = "pictured", "clicked"
_PARAMS, _VOCABULARY = "params.index.json", "vocab.index.json"
_ARRAYS = ("indptr", "indices", "data")
_BM25 = {
    "k1": K1, "b": B, "delta": 0.5, "method": "lucene", "idf_method": "lucene",
    "dtype": "float32", "int_dtype": "int32",
}  # fmt: skip
_PIECE = 1 << 20  # bytes
_EARLIER: dict[str, Any] = {"stemmer": "english"}  # of an index without a file of it


def load_words(folder: Path, num_items: int) -> WordIndex:
    """Return what `write_words` wrote.

    Args:
        folder: Where it lies.
        num_items: N, as the index that it belongs to says.

    Raises:
        ArtifactError: If a file is missing, cannot be read or is about other items.
    """
    try:
        params = orjson.loads((folder / _PARAMS).read_bytes())
        vocabulary = _read_numbers((folder / _VOCABULARY).read_bytes())
        starts, rows, weights = (
            np.load(folder / f"{name}.csc.index.npy", mmap_mode="r", allow_pickle=False).view(
                np.ndarray
            )
            for name in _ARRAYS
        )
        forms = folder / _FORMS
        settings = json.loads(forms.read_text(encoding="utf-8")) if forms.exists() else _EARLIER
        size = int(params["num_docs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder}: the word index cannot be read ({error}).") from error
    if size != num_items:
        raise ArtifactError(
            f"{folder}: words of {size} items, expected {num_items}. Run `dvc repro`."
        )
    shown, clicked = (
        {int(number): column for number, column in settings.get(name, {}).items()}
        for name in (_PICTURED, _CLICKED)
    )
    num_words = len(starts) - 1 - len(shown) - len(clicked)
    for word in [word for word, number in vocabulary.items() if number >= num_words]:
        del vocabulary[word]  # of no text, as bm25s has it
    postings = Postings(starts, rows, weights, num_items)
    return WordIndex(postings, vocabulary, settings["stemmer"], shown, clicked)


def _read_numbers(content: bytes) -> dict[str, int]:
    """Return a JSON object of numbers, read piece by piece.

    To read one of a million words at once holds up everything else that the process does, a service
    that loads its next release too.
    """
    numbers: dict[str, int] = {}
    start = 0
    try:
        while end := content.find(b',"', start + _PIECE) + 1:
            while not content[end - 2 : end - 1].isdigit():  # a word may end with a comma
                end = content.index(b',"', end) + 1
            numbers |= orjson.loads(b"{" + content[start:end].strip(b"{,") + b"}")
            start = end
        numbers |= orjson.loads(b"{" + content[start:].strip(b"{") if start else content)
    except ValueError:  # cut within a word: it is no piece of JSON
        return dict(orjson.loads(content))
    return numbers


def write_words(words: WordIndex, folder: Path) -> None:
    """Write an index into a folder, for `bm25s` to read as well: what it would write itself.

    To load it takes half a second, which is more than all else of a small shop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = words.postings
    parts: tuple[NDArray[Any], ...] = held.starts, held.rows, held.weights
    for name, values in zip(_ARRAYS, parts, strict=True):
        np.save(folder / f"{name}.csc.index.npy", values, allow_pickle=False)
    vocabulary = dict(words.vocabulary)
    vocabulary.setdefault("", len(words.postings))  # of no text, as bm25s has it
    (folder / _VOCABULARY).write_bytes(orjson.dumps(vocabulary))
    told = _BM25 | {"num_docs": len(words), "version": version("bm25s"), "backend": "numpy"}
    (folder / _PARAMS).write_text(json.dumps(told, indent=4))
    told = {_CLICKED: words.clicked} if words.clicked else {}
    write_json(folder / _FORMS, {"stemmer": words.stemmer, _PICTURED: words.shown} | told)
