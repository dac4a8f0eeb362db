"""Reads an export without smar: encodes queries, searches, and checks what a server answers.

    pip install numpy pyarrow onnxruntime tokenizers regex PyStemmer
    python selftest.py                 is this folder what smar wrote, and does it give its answers?
    python selftest.py answers.ndjson  does an engine? {"query": ..., "item_ids": [...]} a line

This file is the whole of what a service has to do to a query, in some fifty lines.

Shapes: N items, K vectors a query, D embedding length, V words.
"""

import json
import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.index.word_forms import WordForms, code_of

TOLERANCE = 2e-5
"""Scores nearer to each other than this may change places."""

_UNSEEN = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_DEPTH = 10


def normalize(text: str) -> str:
    """Return the form that spellings of one query share."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).lower()).replace("i\u0307", "i")
    return " ".join(text.split())


class Queries:
    """The query side of an export.

    Args:
        folder: The export.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        self._share: float = words["share"]
        self._unseen_share: float = max(words["share"], words["unseen_share"])
        self._unseen = frozenset(words["unseen"])
        self._words: dict[str, tuple[int, float]] = words["words"]
        self._unknown: float = words["unknown_idf"]
        self._forms = WordForms(words["stemmer"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._graph = onnxruntime.InferenceSession(folder / "query.onnx")

    def dense(self, query: str) -> tuple[NDArray[np.float32], float]:
        """Return `[(1-g) Q ; g Q]`, [2 D] or [K, 2 D], and g of a query."""
        ids = np.array([self._tokenizer.encode(normalize(query)).ids], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        gated, gate = self._graph.run(["gated", "gate"], feed)
        return gated[0], float(gate[0])

    def sparse(self, query: str) -> tuple[dict[int, float], float]:
        """Return the weight of each word of a query that items have, by column, and their w."""
        text = normalize(query)
        units = self._forms.of_query(text)
        code = code_of(text)  # "wh 1000 xm4" is one code
        if code in self._words and not any(code in unit for unit in units):
            units.append([code])
        known = [[self._words[word] for word in unit if word in self._words] for unit in units]
        reachable = sum(idf for unit in known for _, idf in unit)
        reachable += self._unknown * sum(not unit for unit in known)
        counts = Counter(column for unit in known for column, _ in unit)
        share = self._share
        if any(unit and self._unseen.issuperset(column for column, _ in unit) for unit in known):
            share = self._unseen_share
        return {column: share * count / reachable for column, count in counts.items()}, share


class Items:
    """The items of an export, searched one by one: exact, and as fast as a matrix product.

    Args:
        folder: The export.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow.parquet as pq

        columns = ["item_id", "vector", "word_ids", "word_weights", "has_ids"]
        table = pq.read_table(folder / "items.parquet", columns=columns).combine_chunks()
        self.ids: list[str] = table["item_id"].to_pylist()
        vectors, words, weights, has = (table[name].chunk(0) for name in columns[1:])
        self.vectors = vectors.flatten().to_numpy().reshape(len(table), -1)
        counts = np.diff(words.offsets.to_numpy())
        self._rows = np.repeat(np.arange(len(table)), counts)
        self._words, self._weights = words.flatten().to_numpy(), weights.flatten().to_numpy()
        self._having = np.repeat(np.arange(len(table)), np.diff(has.offsets.to_numpy()))
        self._has = has.flatten().to_numpy()

    def scores(
        self, vector: NDArray[np.float32], words: dict[int, float], share: float
    ) -> NDArray[np.float64]:
        """Return `(1-w) vector . item + words . item` of every item, [N].

        Args:
            vector: As `Queries.dense` gives it.
            words: As `Queries.sparse` gives it.
            share: w, from there too.
        """
        of_query = np.zeros(max(int(self._words.max(initial=0)), *words, 0) + 1)
        of_query[list(words)] = list(words.values())
        similarity = (self.vectors @ np.atleast_2d(vector).T).max(1)
        found = np.bincount(self._rows, self._weights * of_query[self._words], len(self.ids))
        return (1 - share) * similarity.astype(np.float64) + found

    def left_out(self, without: list[dict[str, Any]]) -> NDArray[np.bool_]:
        """Return which items a query leaves out, [N]: `without` of a line of `smar encode`.

        An item is left out that has one of each list of `words`, and none of `unless`.
        """
        gone = np.zeros(len(self.ids), np.bool_)
        for each in without:
            having = [self._have(words) for words in each["words"]]
            gone |= np.logical_and.reduce(having) & ~self._have(each["unless"])
        return gone

    def _have(self, words: list[int]) -> NDArray[np.bool_]:
        """Return which items have one of some words, [N]."""
        have = np.zeros(len(self.ids), np.bool_)
        have[self._having[np.isin(self._has, words)]] = True
        return have

    def best(self, scores: NDArray[np.float64], k: int = _DEPTH) -> list[tuple[str, float]]:
        """Return ids and scores of the k best, best first, ties by row; none of score -inf."""
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        return [(self.ids[row], float(scores[row])) for row in order if scores[row] > -np.inf]


def check(folder: Path) -> list[str]:
    """Return what was found of an export that is whole, one line each.

    Raises:
        ValueError: Lists every query whose vector, words or items are not what smar gave.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["queries"]
    queries, items = Queries(folder), Items(folder)
    largest = dict.fromkeys(("vector", "gate", "words", "score"), 0.0)
    problems = []
    for entry in expected:
        vector, gate = queries.dense(entry["searched"])
        words, share = queries.sparse(entry["searched"])
        wanted = dict(zip(entry["word_ids"], entry["word_weights"], strict=True))
        scores = items.scores(vector, words, share)
        scores[items.left_out(entry["without"])] = -np.inf
        best = items.best(scores)
        seen = {
            "vector": np.abs(vector - np.array(entry["vector"], np.float32)).max(),
            "gate": abs(gate - entry["gate"]),
            "words": max(
                (abs(words.get(word, 0) - wanted.get(word, 0)) for word in {*words, *wanted}),
                default=0,
            ),
            "score": max(abs(b[1] - e["score"]) for b, e in zip(best, entry["top"], strict=True)),
        }
        largest = {name: max(largest[name], float(seen[name])) for name in largest}
        off = [
            f"{name} differs by {value:.2g}" for name, value in seen.items() if value > TOLERANCE
        ]
        problem = "; ".join(off) or moved(entry, [item_id for item_id, _ in best])
        problems += [f"'{entry['query']}': {problem}"] if problem else []
    _refuse(problems, len(expected))
    differences = ", ".join(f"{name} {value:.1g}" for name, value in largest.items())
    return [
        f"{len(items.ids)} items; {len(expected)} queries have the vectors, words and first "
        f"{_DEPTH} items of smar",
        f"largest differences: {differences}",
    ]


def check_answers(folder: Path, answers: list[dict[str, Any]]) -> list[str]:
    """Return what was found of an engine that answers as smar does, one line.

    Args:
        folder: The export.
        answers: `query` and `item_ids`, best first, for each query of expected.json.

    Raises:
        ValueError: Lists every query that is missing or has other items.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["queries"]
    found = {answer["query"]: answer["item_ids"] for answer in answers}
    problems = []
    for entry in expected:
        ids = found.get(entry["query"])
        problem = "has no answer" if ids is None else moved(entry, ids)
        problems += [f"'{entry['query']}': {problem}"] if problem else []
    _refuse(problems, len(expected))
    return [f"{len(expected)} of {len(expected)} queries have the first {_DEPTH} items of smar"]


def moved(entry: dict[str, Any], item_ids: list[str]) -> str:
    """Return how items differ from the expected ones, "" if they do not.

    Items whose scores are equal within `TOLERANCE` may change places, with the one behind the last
    place too, which is why an expected entry holds some more.
    """
    top = {item["item_id"]: item["score"] for item in [*entry["top"], *entry["next"]]}
    wanted = [item["item_id"] for item in entry["top"]]
    for place, (item_id, expected) in enumerate(zip(item_ids, wanted, strict=False), start=1):
        if item_id not in top or abs(top[item_id] - top[expected]) > TOLERANCE:
            return f"place {place} is {item_id}, expected {expected}"
    found = item_ids[: len(wanted)]
    if len(set(found)) < len(wanted):
        return f"{len(set(found))} items, expected {len(wanted)}"
    return ""


def _refuse(problems: list[str], num_queries: int) -> None:
    if problems:
        lines = [f"  - {problem}" for problem in problems[:20]]
        lines += [f"  - and {len(problems) - 20} more"] if len(problems) > 20 else []
        raise ValueError(
            "\n".join([f"{len(problems)} of {num_queries} queries differ from smar:", *lines])
        )


def main() -> int:
    """Check the folder of this file, or an engine's answers; return the exit code."""
    folder = Path(__file__).parent
    try:
        if len(sys.argv) > 1:
            lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
            found = check_answers(folder, [json.loads(line) for line in lines if line.strip()])
        else:
            found = check(folder)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
